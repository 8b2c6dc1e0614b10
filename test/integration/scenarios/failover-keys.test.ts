/** Hosts that refuse the gateway's key: a matter between them and whoever configured it, of which no client need know. */
import { expect, test } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { expectNotEjected, firstOfEquals, says } from './first-host.ts'
import { chatAnswer, chatBytes, errorOf, model, scenario } from './scene.ts'

const refuses = says(401, { error: { message: 'No such key.' } })
const answers = says(200, JSON.parse(chatAnswer('served')))

test('two of them beside a sound third: no request fails, and the sound one is asked first', () => {
  firstOfEquals()
  return scenario({ hosts: { a: [model], b: [model], c: [model] }, clock: new FakeClock() }, async (scene) => {
    for (const name of ['a', 'b']) scene.host(name).playAlways(...refuses)
    scene.host('c').playAlways(...answers)
    for (let i = 0; i < 6; i++) {
      const answer = await scene.ask(chatBytes())
      expect([answer.status, answer.header('x-lmx-gateway-host')]).toEqual([200, 'c'])
    }
    await expectNotEjected(scene)
    return { requests: 6, attempts: { a: 1, b: 1, c: 6 } }
  })
})

test('one whose key was mended is asked again after a minute', () => {
  firstOfEquals()
  const clock = new FakeClock()
  return scenario({ hosts: { a: [model], b: [model] }, clock }, async (scene) => {
    scene.host('a').play(...refuses)
    for (const name of ['a', 'b']) scene.host(name).playAlways(...answers)
    const served = async () => (await scene.ask(chatBytes())).header('x-lmx-gateway-host')
    expect(await served()).toBe('b')
    await clock.advance(59_999)
    expect(await served()).toBe('b')
    await clock.advance(1)
    expect(await served()).toBe('a')
    return { requests: 3, attempts: { a: 2, b: 2 } }
  })
})

test('where there is no other, it is asked each time', () =>
  scenario({ clock: new FakeClock() }, async (scene) => {
    scene.host().play(...refuses)
    const answer = await scene.ask(chatBytes())
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_auth_failed'])
    scene.host().play(...answers)
    expect((await scene.ask(chatBytes())).status).toBe(200)
    return { requests: 2, attempts: { a: 2 } }
  }))
