/** Kept connections that break once a whole request was written: how late that may be for it to count as a race that nobody won. */
import { expect, test } from 'vitest'
import { pause, reset, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { jsonRequestBytes } from '../../kit/http-bytes.ts'
import { says } from './first-host.ts'
import { chatBytes, errorOf, model, scenario } from './scene.ts'

const responses = jsonRequestBytes('/v1/responses', { model, input: 'x', store: true })
const answers = says(200, { id: 'resp_1', object: 'response' })

test.each<[string, number, string, Buffer]>([
  ['a response that is kept', 99, 'sent again', responses],
  ['a response that is kept', 100, '502', responses],
  ['a response that is kept', 800, '502', responses],
  ['a chat', 800, 'sent again', chatBytes()],
  ['a chat', 1_000, '502', chatBytes()],
])('%s, on a connection that is reset %d ms after it was written: %s', (_what, ms, becomes, request) => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    scene.host().play(...answers)
    scene.host().play(wholeRequest, pause, reset)
    scene.host().play(...answers)
    const client = await scene.connect()
    expect((await scene.ask(request, client)).status).toBe(200)
    const asked = scene.ask(request, client)
    const broken = await scene.host().exchange(1)
    await broken.paused()
    expect(broken.connection).toBe(scene.host().exchanges[0]?.connection)
    await clock.advance(ms)
    await broken.step()
    const answer = await asked
    if (becomes === 'sent again') {
      expect(answer.status).toBe(200)
      return { requests: 2, attempts: { a: 3 } }
    }
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_disconnected'])
    return { requests: 2, attempts: { a: 2 } }
  })
})
