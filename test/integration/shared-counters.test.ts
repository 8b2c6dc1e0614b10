/** Lines of two gateways on a real Redis: what one served counts at the other, and who was served less goes first at whichever. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { SharedState } from '../../src/gateway-shared.ts'
import { ModelCatalog } from '../../src/hosts/model-catalog.ts'
import { noSharing } from '../../src/observe/sharing-metrics.ts'
import { Dispatcher } from '../../src/queue/dispatcher.ts'
import type { Lease } from '../../src/queue/lease.ts'
import { queueOptions } from '../../src/queue/options.ts'
import type { Turn } from '../../src/queue/slot-request.ts'
import { balancerOf } from '../kit/balancers.ts'
import { configOf } from '../kit/config-of.ts'
import { knownHost } from '../kit/known-hosts.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { silentLog } from '../kit/silent-log.ts'
import { becomesTrue, eventually, within } from '../kit/within.ts'

const waitMs = 60_000
/** A busy machine is not to be taken for a Redis that is gone. */
const patient = { answerMsMax: 20_000, goneAfterMs: 60_000 }

describe.skipIf(!hasRedis)('lines on one Redis', { timeout: 4 * waitMs }, () => {
  let redis: RedisServer
  let fleets = 0

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())

  async function gateway(fleet: string, served: string[]) {
    const { storage } = configOf({
      hosts: [{ url: 'http://127.0.0.9:1' }],
      storage: { redis: { url: redis.url, fleet, ...patient } },
    })
    let onRefused = (): void => {}
    const slotAsked = (_host: string, outcome: string): void => {
      if (outcome === 'refused') onRefused()
    }
    const shared = new SharedState(storage.redis!, 4_000, {
      version: '1',
      clock: systemClock,
      log: silentLog,
      events: () => ({ ...noSharing, slotAsked }),
    })
    onTestFinished(() => shared.close())
    const host = knownHost('studio', { slots: 1, parts: { clock: systemClock } })
    const dispatcher = new Dispatcher(queueOptions.parse({}), {
      clock: systemClock,
      balancer: balancerOf({ clock: systemClock }),
      events: { waitEnded() {}, rejected() {}, estimateTold() {}, gaveBack() {} },
      sharing: shared.slots,
    })
    shared.shareCounters(dispatcher, [host])
    await shared.start()
    const route = new ModelCatalog([host], {}).route('m', 'chat_completions')
    const leases: Lease[] = []
    const ask = (key: string): Turn =>
      dispatcher.ask({
        route,
        excluded: new Set(),
        holder: { id: key, name: key, weight: 1 },
        class: 'default',
        tokens: { input: 0, output: 0 },
        place: 'newcomer',
        patienceMs: 100 * waitMs,
        granted(lease) {
          served.push(key)
          leases.push(lease)
        },
        refused(error) {
          throw error
        },
      })
    /** The moment in which its claim is known to all. */
    const refused = (): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      onRefused = resolve
      return within(waitMs, 'a refusal', promise)
    }
    const counter = (key: string): number =>
      [...dispatcher.flows()].find(({ id }) => id === key)?.counterAt(host) ?? Number.NaN
    return { shared, dispatcher, leases, ask, refused, counter }
  }

  async function two() {
    const served: string[] = []
    const fleet = `fleet${++fleets}`
    const gateways = [await gateway(fleet, served), await gateway(fleet, served)] as const
    await eventually(waitMs, 'both to know of each other', () =>
      gateways.every(({ shared: { replicas } }) => replicas.count === 2 && replicas.isShared),
    )
    return { served, one: gateways[0], other: gateways[1] }
  }

  it('a key that is served at one of them stands behind others at the other, whoever came first', async () => {
    const { served, one, other } = await two()
    one.ask('busy')
    await eventually(waitMs, 'the slot', () => one.leases.length === 1)
    other.ask('busy')
    other.ask('quiet')
    await eventually(waitMs, 'both to wait', () => other.dispatcher.length === 2)
    one.leases[0]?.bill.generated(500)
    await eventually(waitMs, 'what was served to be known', () => other.counter('busy') === 1_000)
    expect(other.counter('quiet')).toBe(0)
    one.leases[0]?.release()
    await eventually(waitMs, 'the next one', () => served.length === 2)
    other.leases[0]?.release()
    await eventually(waitMs, 'the last one', () => served.length === 3)
    expect(served).toEqual(['busy', 'quiet', 'busy'])
  })

  it('a slot that one of them gives back goes to who was served less at the other, and not to its own next', async () => {
    const { served, one, other } = await two()
    one.ask('busy')
    await eventually(waitMs, 'the slot', () => one.leases.length === 1)
    one.ask('busy')
    other.ask('quiet')
    await eventually(waitMs, 'both to wait', () => one.dispatcher.length === 1 && other.dispatcher.length === 1)
    one.leases[0]?.bill.generated(500)
    await other.refused()
    one.leases[0]?.release()
    await eventually(waitMs, 'the next one', () => served.length === 2)
    expect(served).toEqual(['busy', 'quiet'])
  })

  it('a key that is new to one of them begins where those are who wait at the other', async () => {
    const { one, other } = await two()
    one.ask('busy')
    await eventually(waitMs, 'the slot', () => one.leases.length === 1)
    one.ask('busy')
    one.leases[0]?.bill.generated(500)
    await eventually(waitMs, 'what was served to be known', () => other.counter('busy') === 1_000)
    // A key that waits is in no line while a slot is asked for it: that may be so in the moment of a beat.
    let tries = 0
    await becomesTrue(waitMs, 'who waits to be known', () => {
      const key = `new ${++tries}`
      const turn = other.ask(key)
      turn.leave()
      return Promise.resolve(other.counter(key) === 1_000)
    })
    expect(other.counter('busy')).toBe(1_000)
  })
})
