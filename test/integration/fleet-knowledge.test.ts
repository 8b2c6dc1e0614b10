/** Two real gateways before the same hosts, on a real Redis: what one has learned of them the other knows. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { ReplicasPage } from '../../src/http/admin/replicas-schema.ts'
import { RedisLink } from '../../src/stores/redis/link.ts'
import { cli } from '../kit/cli-run.ts'
import { configOf } from '../kit/config-of.ts'
import { gatewayBefore, model, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { silentLog } from '../kit/silent-log.ts'

/** So fast that a test need not wait, and all the same 20 ms for 1,000 tokens. */
const cost = { prefillTokensPerSecond: 50_000, decodeTokensPerSecond: 1_000 }
/** Enough of it that two hosts are not equal any more once one has read it. */
const long = 'It was a dark and stormy night. '.repeat(2_500)

interface Answer {
  readonly host: string | null
  readonly reason: string | null
}

async function ask({ baseUrl }: GatewayUnderTest, content: string, more: object = {}): Promise<Answer> {
  const answer = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, max_tokens: 4, messages: [{ role: 'user', content }], ...more }),
  })
  expect(answer.status).toBe(200)
  await answer.text()
  return { host: answer.headers.get('x-lmx-gateway-host'), reason: answer.headers.get('x-lmx-gateway-reason') }
}

/** Of a fleet: the first of its gateways was told the admin token of all. */
let adminToken = ''

async function replicas({ adminUrl, adminToken: own }: GatewayUnderTest): Promise<ReplicasPage> {
  if (own !== '') adminToken = own
  const headers = { authorization: `Bearer ${adminToken}` }
  const answer = await fetch(`${adminUrl}/admin/replicas`, { headers })
  expect(answer.status).toBe(200)
  return (await answer.json()) as ReplicasPage
}

/** A busy machine is not to be taken for a Redis that is gone. */
const patient = { answerMsMax: 20_000, goneAfterMs: 60_000 }

interface Beat {
  readonly own: { readonly id: string }
  readonly told: Readonly<Record<string, unknown>>
}

/** What gateways of the fleet say with their beats. */
async function beatsOf(redis: RedisServer, fleet: string) {
  const options = configOf({ hosts: [{ url: 'http://127.0.0.9:1' }], storage: { redis: { url: redis.url, fleet } } })
  const link = new RedisLink(options.storage.redis!, { clock: systemClock, log: silentLog, chance: Math.random })
  onTestFinished(() => link.close())
  await link.start()
  const beats: Beat[] = []
  await link.subscribe(link.key('replicas'), (message) => void beats.push(JSON.parse(message) as Beat))
  return {
    beats,
    /** So many times, each followed by another beat of the same one, by when the others must have heard it. */
    async tellOfPrompts(times: number): Promise<void> {
      const wereHeard = (): boolean => {
        const tells = beats.flatMap(({ told }, at) => ('prefixes' in told ? [at] : []))
        const last = tells[times - 1]
        return last !== undefined && beats.slice(last + 1).some(({ own }) => own.id === beats[last]?.own.id)
      }
      while (!wereHeard()) await pause(20)
    },
  }
}

/** Looks again until it is so: the time of the test is the bound. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(20)
}

describe.skipIf(!hasRedis)('gateways on one Redis', { timeout: 120_000 }, () => {
  let redis: RedisServer
  let fleets = 0

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis.close()
  })

  async function two({ mayFail = false } = {}) {
    const doubles = [await startDouble({ cost, keepsPrefixes: true }), await startDouble({ cost, keepsPrefixes: true })]
    const fleet = `f${++fleets}`
    const beats = await beatsOf(redis, fleet)
    const hosts = doubles.map(({ url }, at) => ({ name: `host-${at}`, url, slots: 4 }))
    const start = async (replica: string): Promise<GatewayUnderTest> => {
      const sharing = { url: redis.url, fleet, replica, ...(mayFail ? { goneAfterMs: 1_500 } : patient) }
      const config = { storage: { redis: sharing } }
      if (!mayFail) return gatewayBefore(hosts, config)
      const gateway = await startGateway({ ...config, hosts })
      onTestFinished(() => gateway.gateway.stop({ now: true }))
      return gateway
    }
    const [one, other] = [await start('gw-1'), await start('gw-2')]
    for (const gateway of [one, other]) {
      await until(async () => {
        const { sharing, replicas: all } = await replicas(gateway)
        return sharing.isShared && all.length === 2 && all.every(({ running }) => running !== null)
      })
    }
    return { fleet, start, doubles, beats, one, other }
  }

  it('a conversation finds its host whichever of them it comes to, one that has just started, too', async () => {
    const { start, beats, one, other } = await two()
    const hosts: (string | null)[] = []
    for (const [at, gateway] of [one, other, one, other, one].entries()) {
      // It goes on, and what it begins with is the same.
      const { host } = await ask(gateway, `${long}${'And then? '.repeat(200 * at)}`)
      hosts.push(host)
      await beats.tellOfPrompts(at + 1)
    }
    expect(new Set(hosts).size).toBe(1)
    const late = await start('gw-3')
    await beats.tellOfPrompts(6)
    const { host, reason } = await ask(late, long)
    expect([host, reason]).toEqual([hosts[0], 'prefix'])
  })

  it('the secret by which they know prompts is told by none of them', async () => {
    const { fleet, beats, one, other } = await two()
    await ask(one, long)
    await beats.tellOfPrompts(1)
    const [, secret = ''] = (await redis.command('GET', `lmx-gateway:{${fleet}}:print-secret`)).split('\r\n')
    expect(Buffer.from(secret, 'base64')).toHaveLength(24)
    const pages = [
      await replicas(one),
      await one.admin('GET', '/admin/decisions'),
      await one.admin('GET', '/admin/stats'),
    ]
    for (const told of [beats.beats, pages, one.log, other.log, await one.metrics()])
      expect(JSON.stringify(told)).not.toContain(secret)
  })

  it('what runs at a host for one of them is seen by the other, which goes where less is to do', async () => {
    const { one, other, doubles } = await two()
    const begun = ask(one, 'Write on.', { max_tokens: 4_000 })
    await Promise.race(doubles.map((double) => double.waitFor(({ running }) => running === 1, 'the long one')))
    const busy = doubles.findIndex(({ running }) => running === 1)
    await until(async () =>
      (await replicas(other)).replicas.some(({ name, running }) => name === 'gw-1' && running === 1),
    )
    const short = []
    for (let times = 0; times < 6; times++) short.push(await ask(other, `Hello ${times}`))
    expect(doubles[busy]?.running).toBe(1)
    expect(short.map(({ host }) => host)).toEqual(short.map(() => `host-${1 - busy}`))
    await begun
  })

  it('each tells who they are and what they have to do, and what has become of Redis', async () => {
    const { one, other } = await two({ mayFail: true })
    const page = await replicas(one)
    expect(page.sharing).toMatchObject({ isShared: true, why: null })
    expect(page.replicas).toMatchObject([
      { name: 'gw-1', version: '0.0.0-test', running: 0, waiting: 0, isThis: true },
      { name: 'gw-2', version: '0.0.0-test', running: 0, waiting: 0, isThis: false },
    ])
    expect((await replicas(other)).replicas.map(({ isThis }) => isThis)).toEqual([false, true])
    await other.gateway.stop({ now: true })
    await until(async () => (await replicas(one)).replicas.length === 1)
    redis.freeze()
    await until(async () => !(await replicas(one)).sharing.isShared)
    expect((await replicas(one)).sharing.why).toMatch(/^Redis /)
    redis.thaw()
    await until(async () => (await replicas(one)).sharing.isShared)
  })

  it('one that stands alone says so, on the command line too', async () => {
    const double = await startDouble()
    const gateway = await gatewayBefore([{ name: 'studio', url: double.url }])
    const page = await replicas(gateway)
    expect(page.sharing.why).toContain('storage.redis is not set')
    expect(page).toMatchObject({
      sharing: { isShared: false },
      replicas: [{ id: 'alone', version: '0.0.0-test', running: 0, waiting: 0, isThis: true, beatAgeMs: 0 }],
    })
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', gateway.adminToken)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { code, out, err } = await cli(['replicas', 'list', '--admin-url', gateway.adminUrl])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(
      /^1 gateway\. Nothing is shared, since .*: storage\.redis is not set: this gateway stands alone\.$/m,
    )
    expect(out).toMatch(/^\S+ \(this one\) +0\.0\.0-test /m)
  })
})
