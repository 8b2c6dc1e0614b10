/** Several gateways before one host on a real Redis: it never has more requests at once than it takes, whatever becomes of Redis. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { ask, gatewayBefore, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { becomesTrue, eventually, within } from '../kit/within.ts'

const slots = 4
/** A busy machine is not to be taken for a Redis that is gone. */
const patient = { answerMsMax: 20_000, goneAfterMs: 60_000 }

interface Load {
  readonly statuses: number[]
  isOver: boolean
  readonly done: Promise<unknown>
}

/** So many clients of a gateway, each of which asks again as soon as it was answered; some leave in the middle. */
function load({ baseUrl }: GatewayUnderTest, clients: number, leavers = 0): Load {
  const statuses: number[] = []
  const state = { isOver: false }
  const client = async (leaves: boolean): Promise<void> => {
    for (let turn = 0; !state.isOver; turn++) {
      const signal = leaves ? AbortSignal.timeout(1 + ((turn * 7) % 40)) : null
      try {
        const body = JSON.stringify({ ...ask(`turn ${turn}`, 1 + (turn % 9)), stream: turn % 2 === 0 })
        const headers = { 'content-type': 'application/json' }
        const answer = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body, signal })
        statuses.push(answer.status)
        await answer.text()
      } catch (error) {
        if (signal?.aborted !== true) throw error
      }
    }
  }
  const all = Array.from({ length: clients + leavers }, (_, at) => client(at >= clients))
  return {
    statuses,
    get isOver() {
      return state.isOver
    },
    set isOver(is) {
      state.isOver = is
    },
    done: Promise.all(all),
  }
}

async function ends(loads: readonly Load[]): Promise<void> {
  for (const one of loads) one.isOver = true
  await within(60_000, 'the last answers', Promise.all(loads.map(({ done }) => done)))
}

/** A host that could take any number, and says nothing of it: what it gets is for the gateways to say. */
function host(): Promise<LmxDouble> {
  return startDouble({ slots: 100, cost: { ttftMs: 10, decodeTokensPerSecond: 400 } })
}

describe.skipIf(!hasRedis)('gateways that share slots', { timeout: 240_000 }, () => {
  let redis: RedisServer

  beforeEach(async () => {
    redis = await startRedis()
    onTestFinished(() => redis.close())
  })

  const configFor = (double: LmxDouble, sharing: Readonly<Record<string, number>>) => ({
    hosts: [{ name: 'studio', url: double.url, slots }],
    storage: { redis: { url: redis.url, ...sharing } },
    queue: { lengthMax: 1_000, lengthMaxPerKey: 1_000 },
  })

  /** Those that can be shared are, so that nothing is decided by a share. */
  const areShared = (gateways: readonly GatewayUnderTest[], label = 'slots to be shared') =>
    becomesTrue(30_000, label, async () => {
      const degraded = await Promise.all(gateways.map((one) => one.sum('sharing_degraded')))
      const counts = await Promise.all(gateways.map((one) => one.sum('replicas')))
      return degraded.every((one) => one === 0) && counts.every((one) => one === gateways.length)
    })

  /** Nothing is held or claimed, as Redis has it. */
  const isAtRest = () =>
    becomesTrue(30_000, 'Redis to know of no slot that is held', async () => {
      const rows = await redis.command('HVALS', 'lmx-gateway:{default}:slots:studio')
      const held = rows.split('\r\n').filter((line) => /^\d+ \d+/.test(line))
      return held.every((row) => /^\d+ 0 \d+$/.test(row))
    })

  it.each([2, 4])('%i of them: all slots are used, and never one too many', async (count) => {
    const double = await host()
    const { hosts, ...config } = configFor(double, patient)
    const gateways: GatewayUnderTest[] = []
    for (let at = 0; at < count; at++) gateways.push(await gatewayBefore(hosts, config))
    await areShared(gateways)
    const loads = gateways.map((gateway) => load(gateway, 5, 2))
    const isServed = () => loads.every(({ statuses }) => statuses.length >= 25)
    await eventually(100_000, 'each of them to have had many answers', isServed)
    await eventually(100_000, 'all slots to be in use at once', () => double.arrivedConcurrentMax >= slots)
    await ends(loads)
    expect(double.arrivedConcurrentMax).toBe(slots)
    expect(new Set(loads.flatMap(({ statuses }) => statuses))).toEqual(new Set([200]))
    for (const gateway of gateways) {
      expect(await gateway.sum('shared_slot_decisions_total', { outcome: 'local' })).toBe(0)
      expect(await gateway.sum('shared_slot_decisions_total', { outcome: 'granted' })).toBeGreaterThan(20)
    }
    await isAtRest()
  })

  it('what one held that has died is free again once it is known to be gone', async () => {
    const double = await host()
    const { hosts, ...config } = configFor(double, { ...patient, goneAfterMs: 3_000 })
    const gateway = await gatewayBefore(hosts, config)
    await areShared([gateway])
    const time = /(\d{10})/.exec(await redis.command('TIME'))?.[1] ?? ''
    await redis.command('ZADD', 'lmx-gateway:{default}:alive', `${time}000`, 'dead')
    await redis.command('HSET', 'lmx-gateway:{default}:slots:studio', 'dead', `1 ${slots} ${slots}`)
    const one = load(gateway, 1)
    await eventually(30_000, 'an answer', () => one.statuses.length > 0)
    await ends([one])
    expect(await gateway.sum('shared_slot_decisions_total', { outcome: 'refused' })).toBeGreaterThan(2)
  })

  it('go on through whatever becomes of Redis, within the bound of their shares, and are exact afterwards', async () => {
    const double = await host()
    const config = configFor(double, { answerMsMax: 50, goneAfterMs: 1_500 })
    const gateways = [await startGateway(config), await startGateway(config)]
    onTestFinished(async () => {
      for (const { gateway } of gateways) await gateway.stop({ now: true })
    })
    const loads = gateways.map((gateway) => load(gateway, 5, 2))
    const served = async (): Promise<void> => {
      const before = loads.map(({ statuses }) => statuses.length)
      const isServed = () => loads.every(({ statuses }, at) => statuses.length >= (before[at] ?? 0) + 10)
      await eventually(100_000, 'each of them to have answers', isServed)
    }
    await served()
    await redis.command('FLUSHALL')
    await served()
    redis.freeze()
    await served()
    redis.thaw()
    await served()
    await redis.kill()
    await served()
    await redis.startAgain()
    await served()
    await redis.command('CLIENT', 'PAUSE', '300', 'ALL')
    await served()
    await ends(loads)
    // The share of each on top of what ran when it began.
    expect(double.arrivedConcurrentMax).toBeLessThanOrEqual(2 * slots)
    expect(new Set(loads.flatMap(({ statuses }) => statuses))).toEqual(new Set([200]))
    await areShared(gateways, 'slots to be shared again')
    await isAtRest()
    for (const gateway of gateways) {
      expect(await gateway.sum('host_inflight')).toBe(0)
      expect(await gateway.sum('queue_depth')).toBe(0)
    }
    await pause(0)
  })
})
