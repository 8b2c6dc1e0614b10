/** Models that a host lists and says it does not have: for which requests that holds, until when, and who waited for them. */
import { expect, test } from 'vitest'
import { pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { firstOfEquals, says, story } from './first-host.ts'
import { chatAnswer, chatBytes, contentFrame, errorOf, model, scenario } from './scene.ts'

const missing = { error: { message: `The model '${model}' does not exist`, code: 'model_not_found' } }

test('one that is no model for embeddings is still one for chats', () => {
  const models = [model]
  return scenario({ hosts: { a: models } }, async (scene) => {
    // Whoever looked at the list again would find the model gone for good.
    models[0] = 'another'
    const looks = scene.host().soundRequests.length
    scene.host().play(...says(404, missing))
    const refusal = await scene.ask(jsonRequestBytes('/v1/embeddings', { model, input: 'x' }))
    expect([refusal.status, errorOf(refusal).code]).toEqual([404, 'model_not_found'])
    scene.host().play(...says(200, JSON.parse(chatAnswer('served'))))
    expect((await scene.ask(chatBytes())).status).toBe(200)
    expect(scene.host().soundRequests).toHaveLength(looks)
    return { requests: 2, attempts: { a: 2 } }
  })
})

test('one that is no model for chats may come back: 503, and 404 once the next list lacks it, too', () =>
  scenario({ newConnections: true }, async (scene) => {
    const close = { connection: 'close' }
    const list = { object: 'list', data: [{ id: 'another', object: 'model', created: 0, owned_by: 'chaos' }] }
    scene.host().play(wholeRequest, pause, jsonResponseBytes(404, missing, close))
    const asked = scene.ask(chatBytes())
    const refusing = await scene.host().exchange()
    await refusing.paused()
    // The look at the list that the refusal brings about, on a connection of its own.
    scene.host().playOnConnection(pause, jsonResponseBytes(200, list, close))
    await refusing.step()
    expect([(await asked).status, errorOf(await asked).code]).toEqual([404, 'model_not_found'])
    const meanwhile = await scene.ask(chatBytes())
    expect([meanwhile.status, errorOf(meanwhile).code]).toEqual([503, 'no_upstream_available'])
    await (await scene.host().exchange(1)).step()
    await gaugeReaches(scene.gateway, 'host_models', 1, { host: 'a' })
    const later = await scene.ask(chatBytes())
    expect([later.status, errorOf(later).code]).toEqual([404, 'model_not_found'])
    return { requests: 3, attempts: { a: 2 } }
  }))

test('who waits for it under an ordered alias is served by the next name at once', () => {
  firstOfEquals()
  const models = ['big', 'another']
  const hosts = { a: models, b: ['small'] }
  const config = { models: { aliases: { fast: ['big', 'small'] } } }
  const halves = [contentFrame('once'), story.slice(contentFrame('once').length)].map((half) => chunkBytes(half))
  const told = (...end: readonly ScriptStep[]) => [wholeRequest, sseHeadBytes(), ...end, finalChunk] as const
  return scenario({ hosts, config, slots: 2 }, async (scene) => {
    scene.host('a').play(...told(halves[0]!, pause, halves[1]!))
    scene.host('a').play(wholeRequest, pause, jsonResponseBytes(404, missing))
    scene.host('b').play(...told(pause, chunkBytes(story)))
    scene.host('b').play(...told(chunkBytes(story)))
    const ask = () => scene.ask(chatBytes({ model: 'fast', stream: true }))
    const holder = ask()
    const holding = await scene.host('a').exchange(0)
    await holding.paused()
    const refused = ask()
    const refusing = await scene.host('a').exchange(1)
    const waiter = ask()
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    // The host unloads it: its list says so from now on, but nobody is there to read it.
    models.shift()
    await refusing.step()
    // The first of the two there is not over, so that no slot that it leaves brought the second.
    await scene.host('b').exchange(1)
    await scene.host('b').exchanges[0]?.step()
    for (const answer of [await refused, await waiter]) {
      expect([answer.status, answer.text, answer.header('x-lmx-gateway-host')]).toEqual([200, story, 'b'])
    }
    await holding.step()
    expect((await holder).text).toBe(story)
    return { requests: 3, attempts: { a: 2, b: 2 } }
  })
})
