/** Every host fails: what is tried again elsewhere must not multiply the outage. Counted at the hosts. */
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { firstOfEquals, says } from './first-host.ts'
import { chatBytes, errorOf, model, promptCanary, scenario } from './scene.ts'

const long = process.env['TEST_LONG'] === 'true'
const perSecond = 50
const budgetComesBackMs = 20_000

const failures: readonly [string, number, readonly ScriptStep[]][] = [
  ['lose the connection', long ? 60 : 5, [wholeRequest, reset]],
  ['answer 502', long ? 60 : 2, says(502, { error: { message: 'No backend.' } })],
]

/** Requests at a steady pace, each on a connection of its own; resolves with what they were answered. */
async function steadily(count: number, ask: () => Promise<string>): Promise<string[]> {
  const asked: Promise<string>[] = []
  const beganAtMs = performance.now()
  while (asked.length < count) {
    asked.push(ask())
    await wait(Math.max(0, beganAtMs + (asked.length * 1_000) / perSecond - performance.now()))
  }
  return Promise.all(asked)
}

let prompts = 0
/** One that two hosts broke off is given to no third for a minute, which is no part of the budget. */
const anotherPrompt = (): Buffer => chatBytes({ messages: [{ role: 'user', content: `${promptCanary} ${++prompts}` }] })

test.each(failures)(
  'S10: all hosts %s for %d s, at 50 requests a second, and none is ejected',
  {
    timeout: 100_000,
  },
  (_how, seconds, script) => {
    const hosts = { a: [model], b: [model], c: [model] }
    // An ejection would end the flood at once: it is the budget that is looked at.
    const config = { health: { ejectMs: 1, slowStartMs: 0 } }
    return scenario({ hosts, slots: 100, newConnections: true, config }, async (scene) => {
      for (const name of Object.keys(hosts)) scene.host(name).playAlways(...script)
      const requests = seconds * perSecond
      const beganAtMs = performance.now()
      const codes = await steadily(requests, async () => errorOf(await scene.ask(anotherPrompt())).code)
      const backMax = Math.floor((performance.now() - beganAtMs) / budgetComesBackMs)
      const attempts = Object.fromEntries(Object.keys(hosts).map((name) => [name, scene.host(name).exchanges.length]))
      const inAll = Object.values(attempts).reduce((sum, count) => sum + count, 0)
      expect(inAll).toBeLessThanOrEqual(1.2 * requests + 3 + backMax)
      // And the budget is used.
      expect(inAll).toBeGreaterThan(1.1 * requests)
      expect(new Set(codes).size).toBe(1)
      return { requests, attempts }
    })
  },
)

test('S10: with ejection, hosts that fail get a trickle, and who finds none is answered in time', {
  timeout: 60_000,
}, () => {
  firstOfEquals()
  const hosts = { a: [model], b: [model] }
  const config = { queue: { waitMsMax: 500 } }
  return scenario({ hosts, slots: 100, newConnections: true, config }, async (scene) => {
    for (const name of Object.keys(hosts)) scene.host(name).playAlways(wholeRequest, reset)
    const requests = 2 * perSecond
    const codes = await steadily(requests, async () => errorOf(await scene.ask(anotherPrompt())).code)
    const attempts = { a: scene.host('a').exchanges.length, b: scene.host('b').exchanges.length }
    expect(attempts.a + attempts.b).toBeLessThan(requests / 2)
    const honest = new Set(['upstream_disconnected', 'upstream_busy', 'queue_timeout', 'no_upstream_available'])
    expect(codes.filter((code) => !honest.has(code))).toEqual([])
    return { requests, attempts }
  })
})
