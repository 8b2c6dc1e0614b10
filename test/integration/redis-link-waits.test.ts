/** When a link looks again for a Redis that lets nobody in: by a clock of the test. */
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Timer } from '../../src/base/clock.ts'
import { RedisLink } from '../../src/stores/redis/link.ts'
import { configOf } from '../kit/config-of.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { listen } from '../kit/servers.ts'
import { silentLog } from '../kit/silent-log.ts'
import { eventually } from '../kit/within.ts'

/** To be told apart from any wait. */
const connectMsMax = 7_777

class NotingClock extends FakeClock {
  readonly waitsMs: number[] = []

  override after(delayMs: number, callback: () => void): Timer {
    if (delayMs > 0 && delayMs !== connectMsMax) this.waitsMs.push(delayMs)
    return super.after(delayMs, callback)
  }
}

async function waitsOf(chance: number, looks: number): Promise<readonly number[]> {
  const server = await listen(createServer((socket) => socket.destroy()))
  onTestFinished(() => server.close())
  const clock = new NotingClock()
  const { redis } = configOf({
    hosts: [{ url: 'http://127.0.0.9:1' }],
    storage: { redis: { url: `redis://127.0.0.1:${server.port}`, connectMsMax } },
  }).storage
  if (redis === undefined) throw new Error('no redis in the configuration')
  const link = new RedisLink(redis, { clock, log: silentLog, chance: () => chance })
  onTestFinished(() => link.close())
  await link.start()
  for (let look = 1; look <= looks; look++) {
    await eventually(10_000, 'the end of a look', () => clock.waitsMs.length === look)
    await clock.advance(clock.waitsMs.at(-1) ?? 0)
  }
  return clock.waitsMs.slice(0, looks)
}

test('each look in vain is followed by a longer wait, up to a bound', async () => {
  expect(await waitsOf(0, 5)).toEqual([250, 500, 1_000, 1_000, 1_000])
})

test('gateways that lost it together do not come back together', async () => {
  expect(await waitsOf(1, 3)).toEqual([500, 1_000, 2_000])
})
