/** Two gateways before a host that cannot hold all its models: one load for all, and none that ends what the other has there. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { ConfigInput } from '../kit/config-of.ts'
import { ask as askFor, clientOf, gatewayBefore, gaugeReaches, type HostInput, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { type LoadingHost, startLoadingHost } from '../kit/loading-host.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { becomesTrue, eventually } from '../kit/within.ts'

/** Turns are over at once. */
const residency = { keepMsMin: 0, loadShareMax: 0.9, loadMsDefault: 1 }
const adminKey = 'the-admin-key-of-studio'

describe.skipIf(!hasRedis)('models of a host before which two gateways stand', { timeout: 120_000 }, () => {
  let redis: RedisServer

  beforeEach(async () => {
    redis = await startRedis()
    onTestFinished(() => redis.close())
  })

  async function twoBefore(host: HostInput): Promise<readonly GatewayUnderTest[]> {
    const config: Omit<ConfigInput, 'hosts'> = {
      storage: { redis: { url: redis.url, answerMsMax: 20_000, goneAfterMs: 60_000 } },
      models: { residency },
      probe: { everyMs: 1_000 },
    }
    const gateways = [await gatewayBefore([host], config), await gatewayBefore([host], config)]
    await becomesTrue(30_000, 'both to know each other', async () => {
      const seen = await Promise.all(gateways.map((one) => one.sum('replicas')))
      const degraded = await Promise.all(gateways.map((one) => one.sum('sharing_degraded')))
      return seen.every((count) => count === 2) && degraded.every((is) => is === 0)
    })
    return gateways
  }

  function asks(gateway: GatewayUnderTest | undefined, model: string, tokens = 3): Promise<string> {
    if (gateway === undefined) throw new Error('no such gateway')
    const client = clientOf(gateway, { maxRetries: 0 })
    const read = async (): Promise<string> => {
      let text = ''
      const body = { ...askFor('x', tokens), model, stream: true as const }
      for await (const chunk of await client.chat.completions.create(body))
        text += chunk.choices[0]?.delta.content ?? ''
      return text.trim()
    }
    return read()
  }

  /** What is asked for is generated as soon as it is there. */
  function finishing(host: LoadingHost): void {
    const ends = setInterval(() => host.finish(), 20)
    onTestFinished(() => clearInterval(ends))
  }

  it('requests at both for one that must be loaded cause one load', async () => {
    const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
    const [one, two] = await twoBefore({ name: 'studio', url: host.url, slots: 16 })
    const asked = [one, two, one, two, one, two].map((gateway) => asks(gateway, 'b'))
    await host.begun(1)
    for (const gateway of [one, two]) if (gateway !== undefined) await gaugeReaches(gateway, 'open_streams', 0)
    expect([host.loads, host.asked.length]).toEqual([['b'], 1])
    host.loaded('b')
    finishing(host)
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['one two']))
    expect([host.loads, host.killed]).toEqual([['b'], []])
  })

  it('one that is generating for one of them is not put out for the other, which has its turn then', async () => {
    const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'], resident: ['a'] })
    const [one, two] = await twoBefore({ name: 'studio', url: host.url, slots: 16 })
    const first = asks(one, 'a')
    await host.making(1)
    const other = asks(two, 'b')
    if (two !== undefined) await gaugeReaches(two, 'queue_depth', 1)
    const more = asks(one, 'a')
    expect(host.loads).toEqual([])
    finishing(host)
    expect(await first).toBe('one two')
    await host.begun(1)
    host.loaded('b')
    expect(await other).toBe('one two')
    await Promise.race([more, host.begun(2)])
    host.loaded('a')
    expect(await more).toBe('one two')
    expect(host.killed).toEqual([])
  })

  it('an LMX host unloads for one of them nothing that generates for the other, and loads once for both', async () => {
    const onDisk = { 'org/a': { gigabytes: 10 }, 'org/b': { gigabytes: 10 } }
    const cost = { decodeTokensPerSecond: 20 }
    const double = await startDouble({ models: ['org/a'], onDisk, requireAdminKey: adminKey, cost })
    const host = { name: 'studio', url: double.url, slots: 16, adminKey, allowModelLoads: true, modelsLoadedMax: 1 }
    const [one, two] = await twoBefore(host)
    for (const gateway of [one, two]) if (gateway !== undefined) await gaugeReaches(gateway, 'host_models', 2)
    const running = asks(one, 'org/a', 30)
    await eventually(20_000, 'it to be generated', () => double.running === 1)
    const others = [asks(two, 'org/b'), asks(one, 'org/b')]
    const ends = await running
    expect(ends.split(' ')).toHaveLength(30)
    expect(await Promise.all(others)).toEqual(['w0 w1 w2', 'w0 w1 w2'])
    // That it is there already the other may learn only when it orders it once more.
    expect([double.models.unloaded, new Set(double.models.ordered)]).toEqual([['org/a'], new Set(['org/b'])])
  })
})
