/**
 * Faults of a fleet end to end: a real Prometheus with the rules that are shipped scrapes two gateway processes on a real
 * Redis, and each fault shows in the panels and the alert that it should, and in neither before and after.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../kit/prometheus.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'
import { job } from '../kit/rules/rule-shapes.ts'
import { seeFault } from '../kit/seeing-fault.ts'
import { becomesTrue } from '../kit/within.ts'

const mustRun = process.env['CI'] === 'true'
const isMissing = prometheusMissing || !hasRedis
if (isMissing && !mustRun) {
  process.stderr.write('prometheus or redis-server is not installed: no fault of a fleet is looked for in alerts\n')
}

/** Five minutes are five seconds. */
const factor = 60
const scrapeMs = 250
const chosen = { rateInterval: '2s' }

describe.skipIf(isMissing && !mustRun)('a fault of a fleet shows in its panels and its alert', () => {
  const ends: (() => Promise<void>)[] = []
  let redis: RedisServer
  let double: LmxDouble
  let east: GatewayProcess
  let west: GatewayProcess
  let prometheus: Prometheus

  async function replica(name: string): Promise<GatewayProcess> {
    // A machine that is busy with other tests makes nobody seem gone, and Redis neither.
    const patience = { connectMsMax: 10_000, answerMsMax: 1_000, goneAfterMs: 6_000 }
    const storage = { path: ':memory:', redis: { url: redis.url, replica: name, ...patience } }
    const hosts = [{ name: 'studio', url: double.url }]
    const gateway = await GatewayProcess.start({ hosts, storage })
    ends.unshift(() => gateway[Symbol.asyncDispose]())
    return gateway
  }

  beforeAll(async () => {
    redis = await startRedis()
    ends.unshift(() => redis.close())
    double = await startLmxDouble()
    ends.unshift(() => double.stop())
    east = await replica('east')
    west = await replica('west')
    const targets = [east, west].map(({ adminUrl }) => new URL(adminUrl).host)
    prometheus = await startPrometheus([{ job_name: job, static_configs: [{ targets }] }], {
      ruleFiles: ruleFiles({ factor }).map(({ yaml }) => yaml),
      everyMs: scrapeMs,
    })
    ends.unshift(() => prometheus.stop())
    for (const gateway of [east, west])
      await becomesTrue(30_000, 'two in each other’s sight', async () => (await gateway.sum('replicas')) === 2)
  }, 90_000)

  afterAll(async () => {
    for (const end of ends) await end()
  }, 30_000)

  it('a Redis that is gone, and comes back empty', async () => {
    const summaries = await seeFault(prometheus, {
      alerts: { SharingDegraded: { replica: 'west' } },
      panels: {
        'Limits and slots together': ({ labels, value }) => labels['replica'] === 'east' && value === 1,
        'Redis, as each gateway sees it': ({ labels, value }) => labels['replica'] === 'east' && value === 0,
      },
      chosen,
      begin() {
        const killed = redis.kill()
        return async () => {
          await killed
          await redis.startAgain()
        }
      },
    })
    expect(summaries).toEqual(['The gateway west does not share limits and slots with the others.'])
    // Nobody was lost: each came back.
    for (const gateway of [east, west]) {
      expect(await gateway.sum('replicas_gone_total')).toBe(0)
      expect(await gateway.sum('redis_outages_total')).toBe(1)
    }
  }, 200_000)

  it('a gateway that is killed', async () => {
    const summaries = await seeFault(prometheus, {
      alerts: { ReplicaGone: {} },
      panels: {
        'Gateways that went, and new beginnings': ({ labels, value }) => labels['how'] === 'missed' && value > 0,
      },
      chosen,
      begin() {
        west.process.signal('SIGKILL')
        return async () => {}
      },
    })
    expect(summaries).toEqual(['A gateway of the fleet was lost.'])
    expect(await east.sum('replicas')).toBe(1)
  }, 200_000)
})
