/** Hosts that fall silent, or keep talking and say nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Exchange, pause, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, type Scene, scenario } from './scene.ts'

const story = contentFrame('once') + contentFrame(' upon') + finishFrame
const roleFrame =
  'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
/** Any byte of a frame that never ends. */
const dripped = 'd'
const comment = ': still here\n\n'
/** Far below the defaults, and the others left at them, so that only the clock in question can have rung. */
const limitMs = 150
/** Often enough that a clock fed by it would never ring. */
const talkEveryMs = 10

test.each([
  ['nothing more comes', ''],
  ['another frame comes', contentFrame(' a time')],
  ['a second mark comes', done],
  ['junk comes', '\u0000\u0001junk without a line end'],
])('U11: an answer ends at [DONE] though its connection stays open, which is closed: %s', (_what, after) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    const later = after === '' ? [] : [chunkBytes(after)]
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(story + done), ...later, pause)
    host.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('next'))))
    const client = await scene.connect()
    const answer = await scene.ask(chatBytes({ stream: true }), client)
    expect(answer.text).toBe(story + done)
    const first = await host.exchange()
    await first.peerLeft()
    expect((await scene.ask(chatBytes(), client)).text).toBe(chatAnswer('next'))
    expect(host.exchanges[1]?.connection).not.toBe(first.connection)
    await first.step()
    return { requests: 2, attempts: { a: 2 } }
  }),
)

test('U11: in one piece with [DONE], what follows it goes to nobody', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story + done + contentFrame('stray')), pause)
    expect((await scene.ask(chatBytes({ stream: true }))).text).toBe(story + done)
    await leave(scene)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U12: a host that reads a request and says nothing, not even headers, is left: 504 of a stream', () =>
  scenario({ config: { relay: { firstContentMsMax: limitMs } } }, async (scene) => {
    scene.host().play(wholeRequest, pause)
    await expectTimedOut(scene, { stream: true }, 'uH')
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U12: a host that reads a request and says nothing, not even headers, is left: 504 of a whole answer', () =>
  scenario({ config: { relay: { answerMsMax: limitMs } } }, async (scene) => {
    scene.host().play(wholeRequest, pause)
    await expectTimedOut(scene, {}, 'uH')
    return { requests: 1, attempts: { a: 1 } }
  }))

/** A host that began to answer had read it, though nothing told how long it is. */
async function expectPromptCounted(scene: Scene): Promise<void> {
  const [line] = await scene.gateway.outcomesOnce(1)
  expect(line?.fields).toMatchObject({ tokensOut: 0, usage: 'estimated' })
  expect(line?.fields['tokensIn']).toBeGreaterThan(0)
}

test('U13: headers and the frame with the role are no content: 504, and neither reaches the client', () =>
  scenario({ config: { relay: { firstContentMsMax: limitMs } } }, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), pause)
    await expectTimedOut(scene, { stream: true }, 'uF')
    await expectPromptCounted(scene)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U13: once heartbeats went out there is no status left: the stream ends with an error frame', () => {
  const relay = { heartbeat: 'comment' as const, headerHoldMs: 50, heartbeatMs: 50, firstContentMsMax: 1_000 }
  return scenario({ config: { relay } }, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), pause)
    const client = await scene.connect()
    const answer = await scene.ask(chatBytes({ stream: true }), client)
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(answer.text).toMatch(/^: /)
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_timeout', type: 'timeout_error' })
    await leave(scene)
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ status: 200, attempts: 1, tokensOut: 0, error: 'upstream_timeout', end: 'uF' })
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('U14: comments for ever are no content: 504 while nothing else came', () =>
  scenario({ config: { relay: { firstContentMsMax: limitMs } } }, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(comment + roleFrame), pause)
    await expectTimedOut(scene, { stream: true }, 'uF', comment)
    await expectPromptCounted(scene)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U14: comments for ever do not carry a stream on once its content stopped', () =>
  scenario({ config: { relay: { contentGapMsMax: limitMs } } }, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const answer = await scene.answer(client)
    await talkUntilLeft(await scene.host().exchange(), comment)
    await answer.over()
    expect(answer.text).toContain(comment)
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(errorOf(answer).code).toBe('upstream_stalled')
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'uD', tokensOut: 1 })
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U15: a stream that stops in the middle ends with an error frame, and its host is left', () =>
  scenario({ config: { relay: { contentGapMsMax: limitMs } } }, async (scene) => {
    const five = ['once', ' upon', ' a', ' time', ' there'].map(contentFrame).join('')
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(five), pause)
    const client = await scene.connect()
    const answer = await scene.ask(chatBytes({ stream: true }), client)
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(answer.text.startsWith(five)).toBe(true)
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_stalled', type: 'timeout_error' })
    expect(await client.closed()).toBe('fin')
    await leave(scene)
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'uD', tokensOut: 5, attempts: 1 })
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U16: a frame that comes a byte at a time is given up, though bytes never cease: 504 while nothing else came', () =>
  scenario({ config: { relay: { frameMsMax: limitMs } } }, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), pause)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    await talkUntilLeft(await scene.host().exchange(), dripped)
    const answer = await scene.answer(client)
    await answer.over()
    expect(answer).toMatchObject({ status: 504, complete: true })
    expect(errorOf(answer).code).toBe('upstream_stalled')
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'uF', attempts: 1, tokensOut: 0 })
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U16: behind content, the stream ends with an error frame, and nothing of the dripped frame is sent', () =>
  scenario({ config: { relay: { frameMsMax: limitMs } } }, async (scene) => {
    const told = contentFrame('once') + contentFrame(' upon')
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(told), pause)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const answer = await scene.answer(client)
    await talkUntilLeft(await scene.host().exchange(), dripped)
    await answer.over()
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_stalled', type: 'timeout_error' })
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'uD', attempts: 1, tokensOut: 2 })
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U16: many frames that each come in time are relayed, however long they take together', () =>
  scenario({ config: { relay: { frameMsMax: 2_000 } } }, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), pause)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const exchange = await scene.host().exchange()
    await exchange.paused()
    // Every piece ends inside of a frame, so that no moment is without a frame that has begun.
    for (let at = 0; at < 30; at++) {
      const [first, rest] = [contentFrame(`${at}`).slice(0, 20), contentFrame(`${at}`).slice(20)]
      await exchange.connection.write(chunkBytes(at === 0 ? first : `${contentFrame(`${at - 1}`).slice(20)}${first}`))
      if (at === 29) await exchange.connection.write(chunkBytes(rest + finishFrame + done))
      await sleep(100)
    }
    const answer = await scene.answer(client)
    await exchange.step()
    await answer.over()
    expect(answer.text.endsWith(finishFrame + done)).toBe(true)
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: '--', tokensOut: 30 })
    return { requests: 1, attempts: { a: 1 } }
  }))

/** The client is told so in time, and the host that stands at its pause sees the gateway go. */
async function expectTimedOut(scene: Scene, fields: Readonly<Record<string, unknown>>, end: string, talk = '') {
  const client = await scene.connect()
  await client.send(chatBytes(fields))
  const exchange = await scene.host().exchange()
  await (talk === '' ? leave(scene) : talkUntilLeft(exchange, talk))
  const answer = await scene.answer(client)
  await answer.over()
  expect(answer).toMatchObject({ status: 504, complete: true })
  expect(answer.header('content-type')).toContain('application/json')
  expect(answer.header('x-should-retry')).toBe('false')
  expect(errorOf(answer)).toMatchObject({ code: 'upstream_timeout', type: 'timeout_error' })
  const [line] = await scene.gateway.outcomesOnce(1)
  expect(line?.fields).toMatchObject({ end, status: 504, attempts: 1, tokensOut: 0 })
}

/** Waits until the gateway closed the connection of the only exchange, whose script then goes on to its end. */
async function leave(scene: Scene): Promise<void> {
  const exchange = await scene.host().exchange()
  await exchange.peerLeft()
  await exchange.step()
}

/** Writes the bytes again and again; at most for 5 s. */
async function talkUntilLeft(exchange: Exchange, bytes: string): Promise<void> {
  await exchange.paused()
  const endsAt = performance.now() + 5_000
  while (exchange.connection.peerEndedBy === undefined && performance.now() < endsAt) {
    await exchange.connection.write(chunkBytes(bytes))
    await sleep(talkEveryMs)
  }
  await exchange.peerLeft(0)
  await exchange.step()
}
