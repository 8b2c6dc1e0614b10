import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { defaultFile } from '../../../src/config/source.ts'
import { type Given, good, problems } from './loading.ts'

test('every problem is named at once, those of flags first, then the file from top to bottom', async () => {
  const yaml = [
    'server: { bind: 0.0.0.0, prot: 1 }',
    'admin:',
    '  port: 70000',
    '  port: 70001',
    'hosts:',
    '  - { name: studio, url: "http://a:1", slots: 0 }',
    '  - { name: studio, url: "http://a:1/" }',
    'models: { aliases: { fast: { studoi: x } } }',
    'log: { level: "${LEVEL}" }',
  ].join('\n')
  const found = await problems({
    yaml,
    flags: { 'queue-length-max': '-2' },
    environment: { LMX_GATEWAY_LOG_FORMAT: 'xml' },
  })
  expect(found.map((line) => line.split(': ')[0])).toEqual([
    '--queue-length-max',
    'LMX_GATEWAY_LOG_FORMAT',
    'F:1:26 server.prot',
    'F:4:3',
    'F:4:9 admin.port',
    'F:6:47 hosts[0].slots',
    'F:7:13 hosts[1].name',
    'F:7:26 hosts[1].url',
    'F:8:30 models.aliases.fast.studoi',
    'F:9:15 log.level',
  ])
})

describe('flags and variables are named in what is said about them', () => {
  test.each<[string, Given, RegExp]>([
    ['port below', { flags: { port: '-1' } }, /^--port: must be at least 0, not -1$/],
    ['port above', { flags: { port: '70000' } }, /^--port: must be at most 65535, not 70000$/],
    ['port in words', { flags: { port: 'http' } }, /^--port: must be a number, not "http"$/],
    ['port left empty', { flags: { port: '' } }, /^--port: must be a number, not ""$/],
    [
      'admin port',
      { environment: { LMX_GATEWAY_ADMIN_PORT: '1.5' } },
      /^LMX_GATEWAY_ADMIN_PORT: must be a whole number, not 1\.5$/,
    ],
    ['URL', { flags: { 'host-url': ['http://a:1', 'b'] } }, /^--host-url: "b" is not a URL/],
    ['URL with credentials', { flags: { 'host-url': 'http://u:p@a:1' } }, /^--host-url: .*must not carry credentials/],
    [
      'the same URL twice',
      { flags: { 'host-url': ['http://a:1', 'http://A:1/'] } },
      /^--host-url: this host is already listed/,
    ],
    [
      'URL in a list',
      { environment: { LMX_GATEWAY_HOST_URLS: 'http://a:1,b' } },
      /^LMX_GATEWAY_HOST_URLS: "b" is not a URL/,
    ],
    [
      'no URL in a list',
      { environment: { LMX_GATEWAY_HOST_URLS: ' , ' } },
      /^LMX_GATEWAY_HOST_URLS: must have at least one entry$/,
    ],
    [
      'switch',
      { environment: { LMX_GATEWAY_ALLOW_ANONYMOUS: 'perhaps' } },
      /^LMX_GATEWAY_ALLOW_ANONYMOUS: must be true or false/,
    ],
    ['file that is not there', { flags: { config: '/nowhere/x.yaml' } }, /^--config: there is no file F$/],
    [
      'file from a variable',
      { environment: { LMX_GATEWAY_CONFIG: '/nowhere/x.yaml' } },
      /^LMX_GATEWAY_CONFIG: there is no file F$/,
    ],
    ['folder', { flags: { config: tmpdir() } }, /^--config: F is a folder/],
    ['one port for both', { flags: { port: '4001' } }, /^admin\.port: 4001 is also the port for clients/],
  ])('%s', async (_name, given, expected) => {
    const found = await problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })
})

test('a pipe is refused, where reading it would wait for good, and so is a device', async () => {
  const own = await mkdtemp(join(tmpdir(), 'lmx-gateway-config-'))
  const pipe = join(own, 'pipe.yaml')
  execFileSync('mkfifo', [pipe])
  for (const config of [pipe, '/dev/zero'])
    expect(await problems({ flags: { config } })).toEqual(['--config: F is no regular file; name one'])
  await rm(own, { recursive: true })
})

describe('addresses that others can reach', () => {
  test('the admin listener needs a token', async () => {
    expect(await problems({ yaml: 'admin: { bind: "::" }\n' })).toEqual([
      expect.stringMatching(/^F:1:16 admin\.bind: .*metricsToken/),
    ])
    expect(await problems({ yaml: 'admin: { bind: "::", metricsToken: 0123456789abcdef }\n' })).toEqual([])
  })

  test('the rule holds beside other problems of the same section', async () => {
    const found = await problems({ flags: { 'admin-bind': '0.0.0.0', 'admin-port': 'x' } })
    expect(new Set(found.map((line) => line.split(':')[0]))).toEqual(new Set(['--admin-bind', '--admin-port']))
  })

  test('the same port on two addresses is fine, and so is a free one for both', async () => {
    expect(await problems({ flags: { port: '4001', bind: '127.0.0.2' } })).toEqual([])
    expect(await problems({ flags: { port: '0', 'admin-port': '0' } })).toEqual([])
  })
})

describe('what is given is what holds', () => {
  test('nothing at all: the defaults', async () => {
    const config = await good({})
    expect(config.server).toMatchObject({ bind: '127.0.0.1', port: 4000, allowAnonymous: false })
    expect(config.hosts).toMatchObject([{ name: '192.168.188.11:1234', url: 'http://192.168.188.11:1234' }])
  })

  test('flag over environment over file over default', async () => {
    const yaml = 'server: { port: 1 }\nadmin: { port: 2 }\nqueue: { lengthMax: 3 }\n'
    const environment = { LMX_GATEWAY_PORT: '11', LMX_GATEWAY_ADMIN_PORT: '12' }
    const config = await good({ yaml, environment, flags: { port: '21' } })
    expect([config.server.port, config.admin.port, config.queue.lengthMax]).toEqual([21, 12, 3])
    expect(config.log.level).toBe('info')
  })

  test('a flag that is repeated: the last', async () => {
    expect((await good({ flags: { port: ['1', '2'] } })).server.port).toBe(2)
  })

  test('--no-allow-anonymous over the file', async () => {
    const config = await good({ yaml: 'server: { allowAnonymous: true }\n', flags: { 'allow-anonymous': 'false' } })
    expect(config.server.allowAnonymous).toBe(false)
  })

  test('hosts from flags take the place of those in the file', async () => {
    const config = await good({
      yaml: 'hosts: [{ url: "http://a:1" }]\n',
      flags: { 'host-url': ['http://b:1', 'http://c:1'] },
    })
    expect(config.hosts.map((host) => host.name)).toEqual(['b:1', 'c:1'])
  })

  test('variables: in quotes text, without them what they look like', async () => {
    const yaml = [
      'server:',
      '  port: ${PORT}',
      '  allowAnonymous: ${OPEN:-true}',
      'hosts:',
      '  - url: "http://${HOST}:${PORT}"',
      '    apiKey: "${KEY}"',
      '  - url: http://b:1',
      '    apiKey: ${NO_KEY:-}',
    ].join('\n')
    const config = await good({ yaml, environment: { PORT: '8080', HOST: 'a', KEY: '12345' } })
    expect(config.server).toMatchObject({ port: 8080, allowAnonymous: true })
    expect(config.hosts[0]).toMatchObject({ url: 'http://a:8080', apiKey: '12345' })
    expect(config.hosts[1]).not.toHaveProperty('apiKey')
  })

  test('keys without a value mean their defaults', async () => {
    const config = await good({
      yaml: 'server:\n#  port: 1\nlog:\n  level:\nhosts:\n  - url: http://a:1\n    slots:\n',
    })
    expect(config.server.port).toBe(4000)
    expect(config.log.level).toBe('info')
    expect(config.hosts[0]?.slots).toBeUndefined()
  })

  test.each(['', '# nothing\n', '---\n', '{}\n', '\uFEFFlog: {}\n'])(
    'a file that asks for nothing: %j',
    async (yaml) => {
      expect((await good({ yaml })).server.port).toBe(4000)
    },
  )

  test('an anchor is what it stands for', async () => {
    const yaml = 'hosts:\n  - &a { url: "http://a:1", kind: &k lmx }\n  - { url: "http://b:1", kind: *k }\n'
    expect((await good({ yaml })).hosts.map((host) => host.kind)).toEqual(['lmx', 'lmx'])
  })

  test('aliases in their three forms', async () => {
    const yaml = 'hosts: [{ name: a, url: "http://a:1" }]\nmodels: { aliases: { x: m, y: { a: m }, z: [m, n] } }\n'
    expect((await good({ yaml })).models.aliases).toEqual({ x: 'm', y: { a: 'm' }, z: ['m', 'n'] })
  })

  test('a key called __proto__ is refused like any other', async () => {
    expect(await problems({ yaml: '__proto__: { port: 1 }\n' })).toEqual(['F:1:1 __proto__: unknown key'])
  })

  test('variables of compose and Kubernetes that mean nothing', async () => {
    const environment = {
      LMX_GATEWAY_BIND: '',
      LMX_GATEWAY_PORT: 'tcp://10.0.0.1:4000',
      LMX_GATEWAY_SERVICE_HOST: '10.0.0.1',
    }
    expect((await good({ environment })).server).toMatchObject({ bind: '127.0.0.1', port: 4000 })
  })
})

describe('the default file', () => {
  test('is read where there is one', async () => {
    const own = await mkdtemp(join(tmpdir(), 'lmx-gateway-config-'))
    await writeFile(join(own, defaultFile), 'server: { port: 4711 }\n')
    const loaded = await loadConfig({ flags: new Map(), environment: {}, folder: own })
    expect(loaded).toMatchObject({ kind: 'good', config: { server: { port: 4711 } }, file: join(own, defaultFile) })
    await rm(own, { recursive: true })
  })

  test('is refused above a mebibyte, and read at it', async () => {
    const fits = `#${' '.repeat(1_048_576 - 2)}\n`
    expect(await problems({ yaml: fits })).toEqual([])
    expect(await problems({ yaml: `${fits}#` })).toEqual([
      '--config: F has 1048577 bytes; a configuration has at most 1048576',
    ])
  })
})
