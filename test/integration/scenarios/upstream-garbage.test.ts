/** Hosts that answer with what is not HTTP, not an answer, or without an end. */
import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { type Exchange, halfClose, pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, jsonResponseBytes, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { chatAnswer, chatBytes, contentFrame, errorOf, type Scene, scenario } from './scene.ts'

// So that what is dropped does not count as held.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** 4 KiB that look random and are the same in every run. */
const noise = Buffer.concat(Array.from({ length: 128 }, (_, index) => createHash('sha256').update(`${index}`).digest()))
/** The first record of a TLS server: a handshake, and in it a ServerHello. */
const tlsHello = Buffer.concat([Buffer.from('16030300310200002d0303', 'hex'), noise.subarray(0, 43)])
const sshBanner = 'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'
const whole = jsonResponseBytes(200, JSON.parse(chatAnswer('next')))

const notHttp: readonly [string, ScriptStep][] = [
  ['4 KiB of noise', noise],
  ['the hello of a TLS server', tlsHello],
  ['the banner of an SSH server', sshBanner],
]

test.each(notHttp)('U17: %s instead of an answer is 502, and the connection is given up', (_what, bytes) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    for (const fields of [{}, { stream: true }]) {
      host.play(wholeRequest, bytes, pause)
      host.play(wholeRequest, whole)
      await expectProtocolError(scene, await scene.ask(chatBytes(fields)))
      const bad = host.exchanges.at(-1)
      await leave(bad)
      expect((await scene.ask(chatBytes())).text).toBe(chatAnswer('next'))
      expect(host.exchanges.at(-1)?.connection).not.toBe(bad?.connection)
    }
    return { requests: 4, attempts: { a: 4 } }
  }),
)

test('U17: garbage counts: a host that gives it five times in a row is left out for a while', () =>
  scenario({ hosts: { a: ['m'], b: ['other'] } }, async (scene) => {
    scene.host().playAlways(wholeRequest, noise, halfClose)
    for (let time = 1; time <= 5; time++) {
      expect(await scene.gateway.metric('host_circuit_open', { host: 'a' })).toBe(0)
      await expectProtocolError(scene, await scene.ask(chatBytes()))
    }
    expect(await scene.gateway.metric('host_circuit_open', { host: 'a' })).toBe(1)
    return { requests: 5, attempts: { a: 5 } }
  }))

test('U17: a server that speaks first, as SSH does, is 502 as well', () =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('last')), { connection: 'close' }))
    await scene.ask(chatBytes())
    host.playOnConnection(sshBanner, pause)
    await expectProtocolError(scene, await scene.ask(chatBytes()))
    await leave(host.exchanges.at(-1))
    return { requests: 2, attempts: { a: 2 } }
  }))

const body = chatAnswer('x')
const headOf = (...lines: string[]) => [
  'HTTP/1.1 200 OK',
  'content-type: application/json',
  `content-length: ${body.length}`,
  ...lines,
  '',
  body,
]
const manyHeaders = (count: number) => Array.from({ length: count }, (_, index) => `${index.toString(36)}:1`)

const badHeads: readonly [string, string][] = [
  ['lines that end in LF alone', headOf('x-a: 1').join('\n')],
  ['one line that ends in LF alone', headOf('x-a: 1\nx-b: 2').join('\r\n')],
  ['a folded header', headOf('x-a: 1', ' and more').join('\r\n')],
  ['a header of more than 16 KiB', headOf(`x-a: ${'1'.repeat(16_384)}`).join('\r\n')],
  [
    'many headers of more than 16 KiB',
    headOf(...Array.from({ length: 200 }, () => `x-a: ${'1'.repeat(90)}`)).join('\r\n'),
  ],
  ['3,000 headers', headOf(...manyHeaders(3_000)).join('\r\n')],
  ['257 headers', headOf(...manyHeaders(257 - 2)).join('\r\n')],
]

test.each(badHeads)('U18: an answer with %s is 502', (_what, answer) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, answer, pause)
    await expectProtocolError(scene, await scene.ask(chatBytes()))
    await leave(scene.host().exchanges[0])
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U18: as many headers as may be, are taken', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, headOf(...manyHeaders(256 - 2)).join('\r\n'))
    expect((await scene.ask(chatBytes())).text).toBe(body)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U18: headers without an end are given up soon, and not kept', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, 'HTTP/1.1 200 OK\r\nx-a: ', pause)
    const client = await scene.connect()
    await client.send(chatBytes())
    const sent = await pourUntilLeft(await scene.host().exchange(), Buffer.alloc(pieceBytes, '1'))
    expect(sent.bytes).toBeLessThan(pouredBytesMax)
    expect(sent.heldBytes).toBeLessThan(heldBytesMax)
    const answer = await scene.answer(client)
    await answer.over()
    await expectProtocolError(scene, answer)
    return { requests: 1, attempts: { a: 1 } }
  }))

const pieceBytes = 65_536
/** Of a frame without an end. */
const pouredBytesMax = 67_108_864
/** What the gateway may hold of it: its bound of 1 MiB, in a buffer that grows by doubling. */
const heldBytesMax = 4_194_304

const endless: readonly [string, string][] = [
  ['a frame of 64 MiB', 'data: {"choices":[{"delta":{"content":"'],
  ['a body without a line end', 'aaaa'],
]

test.each(endless)(
  'U30, U31: %s is given up at the bound of a frame: 502 while the client has nothing',
  (_what, start) =>
    scenario({}, async (scene) => {
      scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(start), pause)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const sent = await pourUntilLeft(await scene.host().exchange(), chunkBytes('a'.repeat(pieceBytes)))
      expect(sent.bytes).toBeLessThan(pouredBytesMax)
      expect(sent.heldBytes).toBeLessThan(heldBytesMax)
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer).toMatchObject({ status: 502, complete: true })
      expect(errorOf(answer).code).toBe('upstream_bad_response')
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'GF', attempts: 1, tokensOut: 0 })
      return { requests: 1, attempts: { a: 1 } }
    }),
)

test.each(endless)('U30, U31: %s behind content ends the stream with an error frame', (_what, start) =>
  scenario({}, async (scene) => {
    const told = contentFrame('once') + contentFrame(' upon')
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(told + start), pause)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const answer = await scene.answer(client)
    await answer.has('upon')
    const sent = await pourUntilLeft(await scene.host().exchange(), chunkBytes('a'.repeat(pieceBytes)))
    expect(sent.bytes).toBeLessThan(pouredBytesMax)
    expect(sent.heldBytes).toBeLessThan(heldBytesMax)
    await answer.over()
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(errorOf(answer).code).toBe('upstream_bad_response')
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ end: 'GD', tokensOut: 2, attempts: 1 })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each([
  ['OpenAI’s envelope', '{"error":{"message":"no memory left","type":"server_error"}}'],
  ['spaced and indented', '\n{\n  "error": {\n    "message": "no memory left"\n  }\n}'],
  ['a bare sentence', '{"error":"no memory left"}'],
])('U34: an error under status 200 is no success: %s', (_what, json) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, json))
    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(502)
    expect(errorOf(answer).code).toBe('upstream_bad_response')
    expect(errorOf(answer).message).toContain('no memory left')
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ end: 'UF', status: 502, tokensOut: 0, attempts: 1 })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U34: an error under status 200 that names a status of its own gets the code of that', () =>
  scenario({}, async (scene) => {
    const json = '{"error":{"message":"messages: must not be empty","code":400}}'
    scene.host().play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, json))
    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(400)
    expect(errorOf(answer)).toMatchObject({ code: 'invalid_request', message: 'messages: must not be empty' })
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U34: an answer that only speaks of an error is a success', () =>
  scenario({}, async (scene) => {
    const fine = JSON.stringify({ ...JSON.parse(chatAnswer('{"error":{"message":"as asked"}}')), error: null })
    scene.host().play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, fine))
    const answer = await scene.ask(chatBytes())
    expect([answer.status, answer.text]).toEqual([200, fine])
    return { requests: 1, attempts: { a: 1 } }
  }))

/** As nginx has it; the script shows that nothing of it may reach a browser. */
const page = '<html><head><title>502 Bad Gateway</title></head><body><script>alert("canary")</script></body></html>'

test.each([
  [200, 502],
  [301, 502],
  [404, 502],
  [500, 502],
  [502, 502],
  [504, 502],
  [413, 413],
  [503, 503],
])('U35: a page of HTML with status %d is answered with %d in JSON, and nothing of the page', (status, expected) =>
  scenario({}, async (scene) => {
    const html = responseBytes(status, { 'content-type': 'text/html; charset=utf-8' }, page)
    for (const fields of [{}, { stream: true }]) {
      scene.host().play(wholeRequest, html)
      const answer = await scene.ask(chatBytes(fields))
      expect(answer).toMatchObject({ status: expected, complete: true })
      expect(answer.header('content-type')).toContain('application/json')
      expect(answer.text).not.toContain('<')
      expect(answer.text).not.toContain('canary')
      expect(errorOf(answer).message).not.toBe('')
    }
    const ends = (await scene.gateway.outcomesOnce(2)).map(({ fields }) => fields['end'])
    // That the request was too large is the client's to mend, and no fault of the host.
    const end = status === 413 ? 'GH' : 'UH'
    expect(ends).toEqual([end, end])
    // Below the level that is written by default: a page may repeat what was asked.
    const pages = scene.gateway.log.filter(({ fields }) => 'said' in fields)
    expect(pages.map(({ level }) => level)).toEqual(status < 300 ? [] : ['debug', 'debug'])
    for (const { fields } of pages) expect(fields['said']).toBe(page.slice(0, 200))
    return { requests: 2, attempts: { a: 2 } }
  }),
)

async function expectProtocolError(scene: Scene, answer: HttpMessage): Promise<void> {
  expect(answer).toMatchObject({ status: 502, complete: true })
  expect(answer.header('content-type')).toContain('application/json')
  expect(errorOf(answer)).toMatchObject({ code: 'upstream_protocol_error', type: 'upstream_error' })
  const id = answer.header('x-request-id')
  const line = scene.gateway.outcomes().find(({ fields }) => fields['requestId'] === id)
  expect(line?.fields).toMatchObject({ end: 'UH', status: 502, attempts: 1 })
}

/** Waits until the gateway closed the connection; the script, which stands at its pause, then goes on to its end. */
async function leave(exchange: Exchange | undefined): Promise<void> {
  await exchange?.peerLeft()
  await exchange?.step()
}

/**
 * Writes the piece again and again, as fast as it is taken, until the gateway left. Tells how much that was, and by how
 * much the memory that is held outside of the heap had grown meanwhile, all of it the gateway's: the piece is the same
 * each time. (Resident memory would be that of three programs here, and of what is not collected yet.)
 */
async function pourUntilLeft(exchange: Exchange, piece: Buffer): Promise<{ bytes: number; heldBytes: number }> {
  await exchange.paused()
  const { connection } = exchange
  const before = await heldNow()
  let bytes = 0
  let heldBytes = 0
  while (connection.peerEndedBy === undefined && bytes < pouredBytesMax) {
    await connection.write(piece)
    bytes += piece.length
    if (bytes % (4 * piece.length) === 0) heldBytes = Math.max(heldBytes, (await heldNow()) - before)
  }
  await leave(exchange)
  return { bytes, heldBytes }
}

/** Bytes outside of the heap that somebody holds: what is dropped is given back in a turn of its own. */
async function heldNow(): Promise<number> {
  collectGarbage()
  await nextTurn()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}
