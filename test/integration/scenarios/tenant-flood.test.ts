/** One tenant sends far more than there is room for: what it is told, and what the others notice. */
import { expect, test } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { keyedBytes } from './access-scene.ts'
import { answeredAtStep, endOf, queued, runningAt, sent, userOf } from './line-scene.ts'
import { errorOf, type Scene, scenario } from './scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const slots = 4
const lengthMaxPerKey = 256
const flood = isLong ? 1_000 : 400
const refused = flood - slots - lengthMaxPerKey
/** How often both others ask. */
const rounds = isLong ? 50 : 15

test(
  `S05: ${flood} requests of one tenant at once: beyond its bound it is told 429, and others wait twice an answer at the most`,
  () =>
    // Time stands still, so that nobody's patience ends: waits are counted in answers.
    scenario({ clock: new FakeClock(), slots, config: { queue: { lengthMaxPerKey } } }, async (scene) => {
      const { gateway } = scene
      scene.host().playAlways(...answeredAtStep)
      const flooding = await gateway.createKey({ name: 'flooding' })
      const others = [await gateway.createKey({ name: 'second' }), await gateway.createKey({ name: 'third' })]
      const flooders = new Map<string, RawClient>()
      for (let index = 0; index < flood; index++) {
        flooders.set(`flood-${index}`, await sent(scene, keyedBytes(flooding, { user: `flood-${index}` })))
      }
      await gateway.outcomesOnce(refused, 60_000)
      await gaugeReaches(gateway, 'queue_depth', lengthMaxPerKey)

      const served: RawClient[] = []
      const waits = await waitsOf(scene, async (round) => {
        const users = others.map((_, index) => `other-${round}-${index}`)
        for (const [index, key] of others.entries()) {
          served.push(await queued(scene, keyedBytes(key, { user: users[index] })))
        }
        return users
      })
      expect(waits).toHaveLength(rounds * others.length)
      expect(p95(waits)).toBeLessThanOrEqual(2)
      for (const client of served) expect((await endOf(scene, client)).status).toBe(200)

      const toldNo = await leave(scene, flooders)
      expect(toldNo).toHaveLength(refused)
      for (const client of toldNo) expect(errorOf(await endOf(scene, client)).code).toBe('concurrency_limit_exceeded')
      return { requests: flood + served.length, attempts: { a: scene.host().exchanges.length } }
    }),
  240_000,
)

/** How long each of the users that ask in a round waits until it runs, in the time that one answer takes. */
async function waitsOf(scene: Scene, asks: (round: number) => Promise<readonly string[]>): Promise<number[]> {
  const askedAt = new Map<string | undefined, number>()
  const waits: number[] = []
  let ended = 0
  for (let round = 0; round < rounds || waits.length < askedAt.size; round++) {
    if (round < rounds) for (const user of await asks(round)) askedAt.set(user, ended)
    // All slots end one answer each.
    for (let slot = 0; slot < slots; slot++) {
      await (await runningAt(scene, ended)).step()
      ended += 1
      const sinceAsked = ended - (askedAt.get(userOf(await runningAt(scene, ended + slots - 1))) ?? Number.NaN)
      if (!Number.isNaN(sinceAsked)) waits.push(sinceAsked / slots)
    }
  }
  for (let slot = 0; slot < slots; slot++) {
    await (await runningAt(scene, ended + slot)).step()
    await runningAt(scene, ended + slots + slot)
  }
  return waits
}

/** All of the flood go, first those that wait; the others had their answer, and are those that were told no if it is an error. */
async function leave(scene: Scene, flooders: ReadonlyMap<string, RawClient>): Promise<RawClient[]> {
  const running = scene.host().exchanges.slice(-slots)
  const answered = [...flooders.values()].filter(({ received }) => received.length > 0)
  const runs = running.map((exchange) => flooders.get(userOf(exchange) ?? ''))
  for (const client of flooders.values()) if (!answered.includes(client) && !runs.includes(client)) client.close()
  await gaugeReaches(scene.gateway, 'queue_depth', 0)
  for (const client of runs) client?.close()
  for (const exchange of running) {
    await exchange.peerLeft()
    await exchange.step()
  }
  return answered.filter(({ received }) => received.toString('latin1', 0, 12) === 'HTTP/1.1 429')
}

test('S05: a key has its own bounds on what runs or waits, and on what waits, and others do not feel them', () =>
  scenario({ clock: new FakeClock(), slots: 1, config: { queue: { lengthMaxPerKey: 3 } } }, async (scene) => {
    const { gateway } = scene
    const host = scene.host()
    host.playAlways(...answeredAtStep)
    const held = await gateway.createKey({ name: 'held', limits: { concurrentRequests: 2 } })
    const free = await gateway.createKey({ name: 'free' })
    const clients = [await sent(scene, keyedBytes(held))]
    await runningAt(scene, 0)
    clients.push(await queued(scene, keyedBytes(held)))
    for (let index = 0; index < 3; index++) clients.push(await queued(scene, keyedBytes(free)))
    for (const key of [held, free]) {
      const answer = await scene.ask(keyedBytes(key))
      expect([answer.status, errorOf(answer).code]).toEqual([429, 'concurrency_limit_exceeded'])
      expect(answer.header('x-should-retry')).toBe('true')
    }
    clients.push(await queued(scene, keyedBytes(await gateway.createKey({ name: 'third' }))))
    for (let at = 0; at < clients.length; at++) await (await runningAt(scene, at)).step()
    for (const client of clients) expect((await endOf(scene, client)).status).toBe(200)
    return { requests: clients.length + 2, attempts: { a: clients.length } }
  }))

function p95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(0.95 * values.length) - 1] ?? Number.NaN
}
