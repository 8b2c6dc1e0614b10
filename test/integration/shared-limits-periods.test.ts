/** Days and months of budgets that gateways tell after Redis was away for long, by the script of the product. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PeriodChange } from '../../src/access/limit-records.ts'
import { systemClock } from '../../src/base/clock.ts'
import { storageOptions } from '../../src/stores/options.ts'
import { RedisLimitStore } from '../../src/stores/redis/limit-store.ts'
import { RedisLink } from '../../src/stores/redis/link.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { silentLog } from '../kit/silent-log.ts'

const dayMs = 86_400_000
const patientMs = 20_000

describe.skipIf(!hasRedis)('budgets of which several gateways tell late', () => {
  let redis: RedisServer
  let link: RedisLink
  let store: RedisLimitStore

  beforeAll(async () => {
    redis = await startRedis()
    const options = storageOptions.parse({ redis: { url: redis.url, answerMsMax: patientMs } }).redis
    if (options === undefined) throw new Error('there is no redis in the options')
    link = new RedisLink(options, { clock: systemClock, log: silentLog, chance: () => 0.5 })
    await link.start()
    await link.command(['SET', link.key('epoch'), 'settled 0'])
    store = new RedisLimitStore(link, options, silentLog)
  })

  afterAll(async () => {
    await link.close()
    await redis.close()
  })

  let seq = 0
  const tell = (gateway: string, key: string, periods: readonly PeriodChange[]) =>
    store.charge(
      {
        id: gateway,
        seq: ++seq,
        accounts: [{ kind: 'key', id: key, limits: { requestsPerDay: 100 }, kept: true }],
        changes: [{ who: '', minute: {}, periods, account: 1 }],
        asks: [],
      },
      patientMs,
    )
  const day = (at: number, requests: number, isNew: 0 | 1 = 1): PeriodChange => {
    const endsMs = Math.ceil(Date.now() / dayMs + at) * dayMs
    return ['day', `day ${at}`, endsMs, requests, requests * 10, isNew]
  }
  const kept = async (key: string): Promise<unknown> => {
    const record: unknown = JSON.parse(String(await link.command(['GET', link.key(`limits:key:${key}`)])))
    const { day: days = [] } = record as { readonly day?: readonly (readonly unknown[])[] }
    return days.map(([label, , requests, tokens]) => [label, requests, tokens])
  }

  it('add up, of the day that runs and the one before, after an outage over two midnights', async () => {
    await tell('one', 'weekend', [day(-2, 50), day(-1, 60), day(0, 70)])
    await tell('two', 'weekend', [day(-2, 5), day(-1, 6), day(0, 7)])
    await tell('one', 'weekend', [day(-3, 1), day(-2, 1)])
    expect(await kept('weekend')).toEqual([
      ['day 0', 77, 770],
      ['day -1', 66, 660],
    ])
  })

  it('have nothing to give back of a day of which nothing is known', async () => {
    await tell('one', 'unknown', [day(0, -5, 0)])
    expect(await kept('unknown')).toEqual([])
  })
})
