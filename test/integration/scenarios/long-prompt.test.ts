/** A long prompt before short ones that keep coming: slow perhaps, and not stuck. */
import { describe, expect, test } from 'vitest'
import { queueOptions } from '../../../src/queue/options.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import type { CreatedKey } from '../../kit/gateway-under-test.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { keyedBytes } from './access-scene.ts'
import { answeredAtStep, endOf, queued, runningAt, sent, userOf } from './line-scene.ts'
import { errorOf, type Scene, scenario } from './scene.ts'

/** What each answer takes, in a time that the test moves. */
const serviceMs = 2_000
const { classes } = queueOptions.parse({})

/** The age at which a waiting request has risen so far that nobody goes before it for its class alone. */
const ageMsMax = {
  default: classes.default.promoteAfterMs,
  bulk: classes.bulk.promoteAfterMs,
}

const longFields = { user: 'long', messages: [{ role: 'user', content: 'long '.repeat(20_000) }] }

/** How long the long prompt waits while there are always two short ones in the line with it. */
async function waitMsOfLong(
  scene: Scene,
  { clock, longKey, shortKey }: { clock: FakeClock; longKey: CreatedKey; shortKey: CreatedKey },
): Promise<{ waitMs: number; requests: number }> {
  const clients: RawClient[] = [await sent(scene, keyedBytes(shortKey))]
  await runningAt(scene, 0)
  clients.push(await queued(scene, keyedBytes(longKey, longFields)))
  const beganAtMs = clock.now()
  let ended = 0
  const step = async (): Promise<void> => {
    await clock.advance(serviceMs)
    await (await runningAt(scene, ended)).step()
    ended += 1
  }
  while (userOf(await runningAt(scene, ended)) !== 'long') {
    while (clients.length - ended < 4) clients.push(await queued(scene, keyedBytes(shortKey)))
    await step()
  }
  const waitMs = clock.now() - beganAtMs
  while (ended < clients.length) await step()
  for (const client of clients) expect((await endOf(scene, client)).status).toBe(200)
  return { waitMs, requests: clients.length }
}

describe.each(['default', 'bulk'] as const)('a long prompt of class %s', (ofClass) => {
  test('S06: waits no longer than its age limit while short urgent ones keep coming, and they go on behind it', () => {
    const clock = new FakeClock()
    return scenario({ clock, slots: 1, config: { queue: { waitMsMax: 3_600_000 } } }, async (scene) => {
      scene.host().playAlways(...answeredAtStep)
      const longKey = await scene.gateway.createKey({ name: 'long', class: ofClass })
      const shortKey = await scene.gateway.createKey({ name: 'short', class: 'interactive' })
      const { waitMs, requests } = await waitMsOfLong(scene, { clock, longKey, shortKey })
      expect(waitMs).toBeLessThanOrEqual(ageMsMax[ofClass] + serviceMs)
      return { requests, attempts: { a: requests } }
    })
  }, 60_000)
})

test('S06: of one key and class a long prompt goes in its turn, and the short ones behind it in theirs', () =>
  scenario({ slots: 1 }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'one' })
    scene.host().playAlways(...answeredAtStep)
    const clients = [await sent(scene, keyedBytes(key))]
    await runningAt(scene, 0)
    for (const fields of [{ user: 'first' }, longFields, { user: 'third' }]) {
      clients.push(await queued(scene, keyedBytes(key, fields)))
    }
    for (let at = 0; at < clients.length; at++) await (await runningAt(scene, at)).step()
    for (const client of clients) expect((await endOf(scene, client)).status).toBe(200)
    expect(scene.host().exchanges.slice(1).map(userOf)).toEqual(['first', 'long', 'third'])
    return { requests: 4, attempts: { a: 4 } }
  }))

test('S06: what does not get a slot within its patience is told so then, long or short', () => {
  const clock = new FakeClock()
  const waitMsMax = 20_000
  return scenario({ clock, slots: 1, config: { queue: { waitMsMax } } }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'one' })
    scene.host().playAlways(...answeredAtStep)
    const running = await sent(scene, keyedBytes(key))
    await runningAt(scene, 0)
    const waiting = [await queued(scene, keyedBytes(key, longFields)), await queued(scene, keyedBytes(key))]
    await clock.advance(waitMsMax - 1)
    expect(await scene.gateway.sum('queue_depth')).toBe(2)
    await clock.advance(1)
    for (const client of waiting) {
      const answer = await endOf(scene, client)
      expect([answer.status, errorOf(answer).code]).toEqual([503, 'queue_timeout'])
    }
    await (await runningAt(scene, 0)).step()
    expect((await endOf(scene, running)).status).toBe(200)
    return { requests: 3, attempts: { a: 1 } }
  })
})
