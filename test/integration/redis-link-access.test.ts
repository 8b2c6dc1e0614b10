/** How a gateway gets into Redis: TLS, users, passwords, clusters, and servers that will not do. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Script } from '../../src/stores/redis/script.ts'
import { certificateFolder } from '../kit/certificate-files.ts'
import { authority, certificate } from '../kit/certificates.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { bulk, redisDouble } from '../kit/redis-double.ts'
import { eventually } from '../kit/within.ts'
import { type HeldLink, heldLink, startedLink } from './redis-link-scene.ts'

const password = 'correct-horse-battery'

async function server(...parameters: Parameters<typeof startRedis>): Promise<RedisServer> {
  const redis = await startRedis(...parameters)
  onTestFinished(() => redis.close())
  return redis
}

/** After its first try. */
async function tried(input: Parameters<typeof heldLink>[0]): Promise<HeldLink> {
  const held = heldLink(input)
  await held.link.start()
  return held
}

function expectNoSecret({ log, changes, link }: HeldLink, secret = password): void {
  expect(JSON.stringify([log, changes, link.state])).not.toContain(secret)
}

describe.skipIf(!hasRedis)('TLS to Redis', () => {
  const ca = authority()
  const own = certificate('redis', { by: ca, for: ['127.0.0.1'] })

  it('believes the authority that it was told of', async () => {
    const redis = await server([], { tls: own })
    const caFile = certificateFolder().write('ca.pem', ca.cert)
    const { add } = await startedLink({ url: redis.tlsUrl, caFile })
    expect(await add(2)).toBe(2)
  })

  it('believes nobody else, and says what to do', async () => {
    const redis = await server([], { tls: own })
    expect((await tried({ url: redis.tlsUrl })).problems()).toEqual([
      expect.stringMatching(/nobody known has signed its certificate; name the authority in storage\.redis\.caFile/),
    ])
    const caFile = certificateFolder().write('ca.pem', authority('another').cert)
    expect((await tried({ url: redis.tlsUrl, caFile })).link.isUp).toBe(false)
  })

  it('does not take the certificate of another name', async () => {
    const redis = await server([], { tls: certificate('redis', { by: ca, for: ['redis.example'] }) })
    const caFile = certificateFolder().write('ca.pem', ca.cert)
    expect((await tried({ url: redis.tlsUrl, caFile })).problems()).toEqual([
      expect.stringMatching(/its certificate is for another name/),
    ])
  })

  it('says where one side speaks TLS and the other does not', async () => {
    const redis = await server([], { tls: own })
    const toPlain = await tried({ url: redis.url.replace('redis:', 'rediss:'), connectMsMax: 1_000 })
    expect(toPlain.problems()).toEqual([expect.stringMatching(/TLS on one side only/)])
    const toTls = await tried({ url: redis.tlsUrl.replace('rediss:', 'redis:') })
    expect(toTls.problems()).toEqual([expect.stringMatching(/does it want TLS \(rediss:\/\/\)\?/)])
  })
})

describe.skipIf(!hasRedis)('who may enter Redis', () => {
  it.each([
    ['no password', {}, /wants a password; set storage\.redis\.password or storage\.redis\.passwordFile \(NOAUTH\)/],
    ['a wrong password', { password: 'wrong-horse' }, /does not accept this password.*\(WRONGPASS\)/],
    ['an unknown user', { username: 'nobody', password }, /does not accept this password.*\(WRONGPASS\)/],
  ])('%s: is told once, and nothing of it', async (_what, given, problem) => {
    const redis = await server(['--requirepass', password])
    const held = await tried({ url: redis.url, ...given })
    await eventually(20_000, 'another look', () => held.link.state.problem !== null)
    expect(held.problems()).toEqual([expect.stringMatching(problem)])
    expectNoSecret(held)
    expectNoSecret(held, 'wrong-horse')
  })

  it.each([
    ['in its own place', (url: string) => ({ url, password })],
    ['in the URL', (url: string) => ({ url: url.replace('//', `//:${encodeURIComponent(password)}@`) })],
    ['in a file', (url: string) => ({ url, passwordFile: certificateFolder().write('password', `${password}\n`) })],
  ])('the password is %s', async (_place, input) => {
    const redis = await server(['--requirepass', password])
    const held = await startedLink(input(redis.url))
    expect(await held.add(1)).toBe(1)
    expectNoSecret(held)
  })

  it('a user needs the keys and channels of the gateway, and nothing that endangers others', async () => {
    const redis = await server()
    await redis.command('ACL', 'SETUSER', 'gateway', 'on', `>${password}`, ...rights)
    const held = await startedLink({ url: redis.url, username: 'gateway', password })
    const heard: string[] = []
    await held.link.subscribe(held.link.key('x'), (message) => heard.push(message))
    await held.link.command(['PUBLISH', held.link.key('x'), 'a'])
    expect(await held.add(1)).toBe(1)
    await eventually(10_000, 'what was published', () => heard.length === 1)
    expect(held.problems()).toEqual([])
  })

  it.each([
    ['keys of others', ['resetkeys', '~other:*']],
    ['channels of others', ['resetchannels', '&other:*']],
    ['no scripts', ['-@scripting']],
  ])('a user with %s: the ACL is named, and what it forbids', async (_what, taken) => {
    const redis = await server()
    await redis.command('ACL', 'SETUSER', 'gateway', 'on', `>${password}`, ...rights, ...taken)
    const held = await tried({ url: redis.url, username: 'gateway', password })
    expect(held.link.isUp).toBe(false)
    expect(held.problems()).toEqual([
      expect.stringMatching(/^The ACL of Redis forbids what the gateway needs \(.*\); give its user ~lmx-gateway/),
    ])
    await redis.command('ACL', 'SETUSER', 'gateway', ...rights)
    await held.isUp()
  })

  it('a user who may not ask for the version is served', async () => {
    const redis = await server()
    await redis.command('ACL', 'SETUSER', 'gateway', 'on', `>${password}`, ...rights, '-info')
    const held = await startedLink({ url: redis.url, username: 'gateway', password })
    expect(held.link.state.server).toBeNull()
  })

  it('a changed password is read when the next connection is made', async () => {
    const redis = await server()
    const folder = certificateFolder()
    const passwordFile = folder.write('password', password)
    await redis.command('ACL', 'SETUSER', 'gateway', 'on', `>${password}`, ...rights)
    const held = await startedLink({ url: redis.url, username: 'gateway', passwordFile })
    await redis.command('ACL', 'SETUSER', 'gateway', 'resetpass', '>another-horse')
    await redis.command('CLIENT', 'KILL', 'USER', 'gateway')
    await held.told(/WRONGPASS/)
    folder.write('password', 'another-horse')
    await held.isUp()
    expect(await held.add(1)).toBe(1)
    expectNoSecret(held)
    expectNoSecret(held, 'another-horse')
  })

  it.each([
    [
      'passwordFile',
      { passwordFile: '/nowhere/password' },
      'storage.redis.passwordFile: there is no file /nowhere/password.',
    ],
    [
      'caFile',
      { url: 'rediss://127.0.0.1:1', caFile: '/nowhere/ca.pem' },
      'storage.redis.caFile: there is no file /nowhere/ca.pem.',
    ],
  ])('a %s that is not there ends the start', async (_what, input, message) => {
    const { link } = heldLink({ url: 'redis://127.0.0.1:1', ...input })
    await expect(link.start()).rejects.toMatchObject({ name: 'StartError', message })
  })
})

describe.skipIf(!hasRedis)('a node of a Redis cluster', () => {
  let node: RedisServer

  beforeEach(async () => {
    node = await server([], { isClusterNode: true })
  })

  it('runs scripts with several keys of a fleet', async () => {
    await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    const { add, link } = await startedLink({ url: node.url })
    expect(await add(3)).toBe(3)
    const three = new Script('three', `return #KEYS`, Number)
    expect(
      await link.run(
        three,
        ['epoch', 'a', 'b'].map((name) => link.key(name)),
        [],
      ),
    ).toBe(3)
    const heard: string[] = []
    await link.subscribe(link.key('x'), (message) => heard.push(message))
    await link.command(['PUBLISH', link.key('x'), 'a'])
    await eventually(10_000, 'what was published', () => heard.length === 1)
  })

  it('that has no keys of this fleet says who has, and is followed', async () => {
    await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    const other = await server([], { isClusterNode: true })
    const busPort = /@(\d+)/.exec(await node.command('CLUSTER', 'NODES'))?.[1] ?? ''
    await other.command('CLUSTER', 'MEET', '127.0.0.1', `${node.port}`, busPort)
    const held = await startedLink({ url: other.url })
    expect(held.log.at(-1)).toMatchObject({ message: 'Redis is there', fields: { at: `127.0.0.1:${node.port}` } })
    expect(await held.add(1)).toBe(1)
    expect(await node.command('EXISTS', held.link.key('sum'))).toBe(':1\r\n')
  })

  it('that is not the one any more is left', async () => {
    await using there = await redisDouble(([command]) =>
      command === 'INFO' ? bulk('redis_version:7.0.0\r\n') : undefined,
    )
    const { host } = new URL(there.url)
    let isMoved = false
    await using first = await redisDouble(([command = '']) => {
      if (command === 'INFO') return bulk('redis_version:7.0.0\r\n')
      return isMoved && command.startsWith('EVAL') ? `-MOVED 1234 ${host}\r\n` : undefined
    })
    const held = await startedLink({ url: first.url })
    isMoved = true
    await expect(held.add(1)).rejects.toThrow(`another node of the cluster, ${host}, which is asked next (MOVED)`)
    await held.isUp()
    expect(there.asked.map(([command]) => command)).toContain('EVALSHA')
    expect(held.problems()).toHaveLength(1)
  })

  it('that does not serve the keys says so, and is used as soon as it does', async () => {
    const held = await tried({ url: node.url })
    expect(held.problems()).toEqual([
      expect.stringMatching(/does not serve the keys of this fleet now.*\(CLUSTERDOWN\)/),
    ])
    await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await held.isUp()
    expect(await held.add(1)).toBe(1)
  })
})

describe('a server that will not do', () => {
  it.each([
    ['Redis 6.2.14', 'redis_version:6.2.14\r\n'],
    ['Valkey 7.2.5', 'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.5\r\n'],
  ])('%s is too old', async (name, info) => {
    await using double = await redisDouble(([command]) =>
      command === 'INFO' ? bulk(`# Server\r\n${info}`) : undefined,
    )
    const held = await tried({ url: double.url })
    expect(held.link.isUp).toBe(false)
    expect(held.problems()).toEqual([`This is ${name}; Redis 7 or later, or Valkey 8 or later, is needed.`])
  })

  it('Valkey 8 will do', async () => {
    const info = 'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n'
    await using double = await redisDouble(([command]) => (command === 'INFO' ? bulk(info) : undefined))
    const held = await tried({ url: double.url })
    expect(held.link.state).toMatchObject({ isUp: true, server: 'Valkey 8.1.0' })
  })

  it.each([
    [
      'is old and repeats the password',
      (words: readonly string[]) =>
        `-ERR unknown command \`HELLO\`, with args beginning with: ${words
          .slice(1)
          .map((word) => `\`${word}\`, `)
          .join('')}\r\n`,
      /has no HELLO/,
    ],
    [
      'repeats the password in words of its own',
      (words: readonly string[]) => `-ERR what is ${words.join(' ')}\r\n`,
      /^ERR what is HELLO 3 AUTH default \*\*\*/,
    ],
    ['speaks HTTP', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', /./],
  ])('one that %s', async (_what, hello, problem) => {
    await using double = await redisDouble((words) => (words[0] === 'HELLO' ? hello(words) : undefined))
    const held = await tried({ url: double.url, password, connectMsMax: 1_000 })
    expect(held.link.isUp).toBe(false)
    expect(held.problems()).toEqual([expect.stringMatching(problem)])
    expectNoSecret(held)
  })
})

/** As the README has them. */
const rights = ['~lmx-gateway:*', '&lmx-gateway:*', '+@all', '-@dangerous', '+info']
