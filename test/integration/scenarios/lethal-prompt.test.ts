/** A prompt that its hosts do not survive: two may be lost to it, and the others are spared, whoever sends it again. */
import { expect, test } from 'vitest'
import { halfClose, pause, reset, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { chunkBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { firstOfEquals, says } from './first-host.ts'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  errorOf,
  model,
  type Scene,
  type SceneOptions,
  scenario,
} from './scene.ts'

const names = ['a', 'b', 'c', 'd'] as const
const fleet: SceneOptions = {
  hosts: Object.fromEntries(names.map((name) => [name, [model]])),
  // Each attempt comes on a connection of its own: one that was kept may have been given up before.
  newConnections: true,
}
const lethal = (more: Record<string, unknown> = {}): Buffer => chatBytes({ user: 'the word', ...more })

const attemptsAt = (scene: Scene): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, scene.host(name).exchanges.length]))
const hostsAsked = (scene: Scene): number => Object.values(attemptsAt(scene)).filter((count) => count > 0).length

/** Every host goes down on the word, and answers anything else. */
function dies(scene: Scene): void {
  for (const name of names) scene.host(name).playAlways(wholeRequest, reset)
}

function recovers(scene: Scene): void {
  for (const name of names) scene.host(name).playAlways(...says(200, JSON.parse(chatAnswer('well'))))
}

test('U55: two hosts are lost to it and no third: sent again it is refused with 502 and when to come back, for a minute', () => {
  const clock = new FakeClock()
  return scenario({ ...fleet, clock }, async (scene) => {
    dies(scene)
    const first = await scene.ask(lethal())
    expect([first.status, errorOf(first).code]).toEqual([502, 'upstream_disconnected'])
    expect(hostsAsked(scene)).toBe(2)
    const again = await scene.ask(lethal())
    expect([again.status, errorOf(again).code]).toEqual([502, 'upstream_crashed'])
    expect([again.header('retry-after'), again.header('x-should-retry')]).toEqual(['60', 'false'])
    expect(errorOf(again).message).toContain('exactly this request')
    await clock.advance(59_000)
    const late = await scene.ask(lethal())
    expect([errorOf(late).code, late.header('retry-after')]).toEqual(['upstream_crashed', '1'])
    expect(hostsAsked(scene)).toBe(2)
    // It has not waited for a slot to hear so.
    const ends = (await scene.gateway.outcomesOnce(3)).map(({ fields }) => fields['end'])
    expect(ends.slice(1)).toEqual(['UA', 'UA'])
    return { requests: 3, attempts: attemptsAt(scene) }
  })
})

test('another prompt is answered meanwhile, or the same one that asks for fewer tokens, were it other by one byte', () =>
  scenario(fleet, async (scene) => {
    dies(scene)
    await scene.ask(lethal())
    recovers(scene)
    for (const other of [lethal({ messages: [{ role: 'user', content: 'the wore' }] }), lethal({ max_tokens: 9 })])
      expect((await scene.ask(other)).status).toBe(200)
    expect(errorOf(await scene.ask(lethal())).code).toBe('upstream_crashed')
    return { requests: 4, attempts: attemptsAt(scene) }
  }))

test('it is known again whatever else of the request differs', () =>
  scenario(fleet, async (scene) => {
    dies(scene)
    await scene.ask(lethal())
    for (const other of [lethal({ user: 'the wore' }), lethal({ seed: 1 }), lethal({ metadata: { id: '2' } })])
      expect(errorOf(await scene.ask(other)).code).toBe('upstream_crashed')
    expect(hostsAsked(scene)).toBe(2)
    return { requests: 4, attempts: attemptsAt(scene) }
  }))

test.each([
  ['by its prompt', {}],
  ['by all of its bytes, where no prompts are remembered', { balancing: { prefixes: { enabled: false } } }],
])('hosts that go down after the first words count too, and it is known again %s', (_by, more) =>
  scenario({ ...fleet, config: more }, async (scene) => {
    for (const name of names) {
      scene.host(name).playAlways(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('Once')), halfClose)
    }
    const asked = lethal({ stream: true })
    for (let time = 0; hostsAsked(scene) < 2 && time < 20; time++) {
      const answer = await scene.ask(asked)
      expect([answer.status, answer.body.toString().includes('Once')]).toEqual([200, true])
    }
    const before = attemptsAt(scene)
    expect(errorOf(await scene.ask(asked)).code).toBe('upstream_crashed')
    expect(attemptsAt(scene)).toEqual(before)
    const attempts = Object.values(before).reduce((sum, count) => sum + count, 0)
    return { requests: attempts + 1, attempts: before }
  }),
)

test('after the minute it may be tried once more; the first host that is lost to it then is the last', () => {
  const clock = new FakeClock()
  return scenario({ ...fleet, clock }, async (scene) => {
    dies(scene)
    await scene.ask(lethal())
    await clock.advance(60_000)
    const before = attemptsAt(scene)
    const tried = await scene.ask(lethal())
    expect(tried.status).toBe(502)
    const lost = names.filter((name) => attemptsAt(scene)[name] !== before[name])
    expect(lost).toHaveLength(1)
    expect(errorOf(await scene.ask(lethal())).code).toBe('upstream_crashed')
    return { requests: 3, attempts: attemptsAt(scene) }
  })
})

test('what waits for a slot when that becomes known is refused when it gets one', () =>
  scenario({ ...fleet, hosts: { a: [model], b: [model] }, slots: 1 }, async (scene) => {
    for (const name of ['a', 'b']) scene.host(name).playAlways(wholeRequest, pause, reset)
    const [first, second] = [scene.ask(lethal()), scene.ask(lethal())]
    const [atA, atB] = [await scene.host('a').exchange(), await scene.host('b').exchange()]
    const third = scene.ask(lethal())
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    await atA.paused()
    await atA.step()
    // The slot at the first host goes to the third request, since nothing is sure after one loss.
    const again = await scene.host('a').exchange(1)
    await again.paused()
    await atB.paused()
    await atB.step()
    await again.step()
    const answers = await Promise.all([first, second, third])
    expect(answers.map((answer) => [answer.status, errorOf(answer).code])).toEqual(
      Array.from({ length: 3 }, () => [502, 'upstream_crashed']),
    )
    return { requests: 3, attempts: { a: 2, b: 1 } }
  }))

test('one host that is lost to it, were it twice, is no reason: the others answer', () => {
  firstOfEquals()
  return scenario({ ...fleet, config: { balancing: { policy: 'least-busy' } } }, async (scene) => {
    recovers(scene)
    for (let time = 0; time < 2; time++) scene.host('a').play(wholeRequest, reset)
    for (let time = 0; time < 3; time++) expect((await scene.ask(lethal())).status).toBe(200)
    return { requests: 3, attempts: { a: 3, b: 2 } }
  })
})
