/** Two gateways, two processes, ten thousand calls that race for what one limit has. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RunningProcess, repositoryRoot } from '../../kit/child-process.ts'
import type { Race, Raced } from '../../kit/limits-child.ts'
import { hasRedis, type RedisServer, startRedis } from '../../kit/redis.ts'
import { becomesTrue } from '../../kit/within.ts'

const calls = 10_000
const limit = 1_000
const child = fileURLToPath(new URL('../../kit/limits-child.ts', import.meta.url))

describe.skipIf(!hasRedis)('two gateways race for one limit', () => {
  let redis: RedisServer
  let gateways: RunningProcess[]

  beforeAll(async () => {
    redis = await startRedis()
    gateways = ['one', 'two'].map(
      (name) => new RunningProcess(process.execPath, [child, redis.url, name], { cwd: repositoryRoot, channel: true }),
    )
    for (const gateway of gateways) await gateway.said(/started/)
  })

  afterAll(async () => {
    for (const gateway of gateways ?? []) await gateway[Symbol.asyncDispose]()
    await redis?.close()
  })

  const race = (key: string, limits: Race['limits'], of = calls): Promise<Raced[]> =>
    Promise.all(
      gateways.map((gateway) => gateway.ask<Raced>({ key, limits, calls: of / gateways.length, atOnce: 200 }, 120_000)),
    )

  const sumOf = (raced: readonly Raced[]) => raced.reduce((sum, { admitted }) => sum + admitted, 0)

  const become = (isShared: boolean) =>
    becomesTrue(60_000, `limits to be ${isShared ? '' : 'not '}those of two together`, async () => {
      const raced = await race('nobody', {}, 2)
      return raced.every((one) => one.isShared === isShared && one.gateways === 2)
    })

  test('G23: with Redis exactly the limit is admitted', async () => {
    await become(true)
    expect(sumOf(await race('day', { requestsPerDay: limit }))).toBe(limit)
    expect(sumOf(await race('at-once', { concurrentRequests: limit }))).toBe(limit)
    const raced = await race('minute', { requestsPerMinute: limit })
    const refilled = (Math.max(...raced.map(({ elapsedMs }) => elapsedMs)) * limit) / 60_000
    expect(sumOf(raced)).toBeGreaterThanOrEqual(limit / 4)
    expect(sumOf(raced)).toBeLessThanOrEqual(limit / 4 + refilled + 1)
  })

  test('G23: without it each gateway admits its share at the most', async () => {
    await become(true)
    await redis.kill()
    await become(false)
    const raced = await race('other-day', { requestsPerDay: limit })
    for (const { admitted } of raced) expect(admitted).toBeLessThanOrEqual(limit / 2)
    expect(sumOf(raced)).toBeGreaterThan(0.9 * limit)
    const atOnce = await race('other-at-once', { concurrentRequests: limit })
    for (const { admitted } of atOnce) expect(admitted).toBeLessThanOrEqual(limit / 2)
  })
})
