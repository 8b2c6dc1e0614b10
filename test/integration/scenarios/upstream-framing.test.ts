/** Heads of answers that do not say clearly where the answer ends, and interim answers before them. */
import { expect, test } from 'vitest'
import { halfClose, pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, scenario } from './scene.ts'

const body = chatAnswer('x')
const { length } = body
const good = responseBytes(200, { 'content-type': 'application/json' }, chatAnswer('good'))

function answerBytes(framing: string, payload: string | Buffer = body): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${framing}\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.from(payload)])
}

const chunked = Buffer.concat([chunkBytes(body), Buffer.from(finalChunk)])

test.each<[string, Buffer]>([
  ['twice and different', answerBytes(`content-length: ${length}\r\ncontent-length: 5\r\n`)],
  ['twice and equal', answerBytes(`content-length: ${length}\r\ncontent-length: ${length}\r\n`)],
  ['a list', answerBytes(`content-length: ${length}, ${length}\r\n`)],
  ['negative', answerBytes(`content-length: -${length}\r\n`)],
  ['with a plus', answerBytes(`content-length: +${length}\r\n`)],
  ['hexadecimal', answerBytes(`content-length: 0x${length.toString(16)}\r\n`)],
  ['with a fraction', answerBytes(`content-length: ${length}.0\r\n`)],
  ['two numbers', answerBytes(`content-length: ${length} 5\r\n`)],
  ['empty', answerBytes('content-length: \r\n')],
  ['beyond 64 bits', answerBytes(`content-length: ${2n ** 64n + BigInt(length)}\r\n`)],
  ['before transfer-encoding', answerBytes(`content-length: ${length}\r\ntransfer-encoding: chunked\r\n`, chunked)],
  ['after transfer-encoding', answerBytes(`transfer-encoding: chunked\r\ncontent-length: ${length}\r\n`, chunked)],
])('U21: a content-length that is %s is refused, and the connection with it', (_what, bytes) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, good)
    host.play(wholeRequest, bytes)
    host.play(wholeRequest, good)
    const client = await scene.connect()
    // On a connection that was used before, where a broken answer must not be taken for one that never came.
    await scene.ask(chatBytes(), client)
    const refused = await within(5_000, 'the refusal', scene.ask(chatBytes(), client))
    expect(refused.status).toBe(502)
    expect(errorOf(refused).code).toBe('upstream_protocol_error')
    expect((await scene.gateway.outcomesOnce(2))[1]?.fields['end']).toBe('UH')
    await (await host.exchange(1)).peerLeft()
    expect((await scene.ask(chatBytes(), client)).text).toContain('good')
    return { requests: 3, attempts: { a: 3 } }
  }),
)

const interim = {
  102: 'HTTP/1.1 102 Processing\r\n\r\n',
  103: 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\nset-cookie: a=b\r\n\r\n',
}
const story = contentFrame('once') + finishFrame + done

test.each([
  ['102', interim[102]],
  ['103', interim[103]],
  ['102 and 103, twice', (interim[102] + interim[103]).repeat(2)],
])('U22: %s before the answer is swallowed', (_what, before) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, before, pause, sseHeadBytes(), chunkBytes(story), finalChunk)
    scene.host().play(wholeRequest, before, good)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    await (await scene.host().exchange()).step()
    const stream = await scene.answer(client)
    await stream.over()
    expect(stream.text).toBe(story)
    expect((await scene.ask(chatBytes(), client)).text).toContain('good')
    expect(client.received.toString()).not.toMatch(/ 10[23] |style\.css|set-cookie/)
    return { requests: 2, attempts: { a: 2 } }
  }),
)

test.each<[string, readonly ScriptStep[], string]>([
  ['103 and then the end of the connection', [interim[103], halfClose], 'upstream_disconnected'],
  [
    'a 101 that nobody asked for',
    ['HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n', good],
    'upstream_protocol_error',
  ],
  ['a 101 that names no protocol', ['HTTP/1.1 101 Switching Protocols\r\n\r\n', good], 'upstream_protocol_error'],
  ['a 100 that nobody asked for', ['HTTP/1.1 100 Continue\r\n\r\n', good], 'upstream_protocol_error'],
])('U22: %s is 502 and is not repeated, on a used connection neither', (_what, script, code) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, good)
    host.play(wholeRequest, ...script)
    const client = await scene.connect()
    await scene.ask(chatBytes(), client)
    const refused = await scene.ask(chatBytes(), client)
    expect(refused.status).toBe(502)
    expect(errorOf(refused).code).toBe(code)
    expect((await scene.gateway.outcomesOnce(2))[1]?.fields['end']).toBe('UH')
    await (await host.exchange(1)).peerLeft()
    return { requests: 2, attempts: { a: 2 } }
  }),
)
