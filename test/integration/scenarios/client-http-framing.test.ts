/** Requests whose end, or whose sense, two readers would find in different places. */
import { expect, test } from 'vitest'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { chatAnswer, contentFrame, done, errorOf, finishFrame, model, type Scene, scenario } from './scene.ts'

const bodyOf = (marker: string): string => JSON.stringify({ model, messages: [], marker })
const body = bodyOf('own')
const smuggledBody = bodyOf('smuggled')
const { length } = body
const size = length.toString(16)

/** A head that is sound but for the lines given, which stand last. */
function head(...lines: string[]): string {
  const all = ['POST /v1/chat/completions HTTP/1.1', 'host: x', 'content-type: application/json', ...lines]
  return `${all.join('\r\n')}\r\n\r\n`
}

/** A request of its own, to whoever takes the one before it for shorter than the sender does. */
const smuggled = `${head(`content-length: ${smuggledBody.length}`)}${smuggledBody}`
const chunks = `${size}\r\n${body}\r\n${finalChunk}`
const chunked = (bytes: string): string => `${head('transfer-encoding: chunked')}${bytes}${smuggled}`
const coded = (...lines: string[]): string => `${head(...lines)}${chunks}${smuggled}`
const counted = (value: string, ...lines: string[]): string =>
  `${head(`content-length: ${value}`, ...lines)}${body}${smuggled}`
const sound = `${head(`content-length: ${length}`)}${body}`

const refusedHeads: readonly [string, string][] = [
  ['both a length and chunks', coded(`content-length: ${length}`, 'transfer-encoding: chunked')],
  ['both chunks and a length', coded('transfer-encoding: chunked', 'content-length: 4')],
  ['chunks and a second, unknown coding', coded('transfer-encoding: chunked', 'transfer-encoding: x')],
  ['chunks twice', coded('transfer-encoding: chunked', 'transfer-encoding: chunked')],
  ['identity before chunks', coded('transfer-encoding: identity, chunked')],
  ['gzip before chunks', coded('transfer-encoding: gzip, chunked')],
  ['chunks before identity', coded('transfer-encoding: chunked, identity')],
  ['a coding that resembles chunks', coded('transfer-encoding: xchunked')],
  ['chunks in quotes', coded('transfer-encoding: "chunked"')],
  ['chunks behind a vertical tab', coded('transfer-encoding: \x0bchunked')],
  ['chunks before a NUL', coded('transfer-encoding: chunked\0')],
  ['chunks, by HTTP/1.0', coded('transfer-encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0')],
  ['a space before the colon of the coding', coded('transfer-encoding : chunked')],
  ['a tab before the colon of the coding', coded('transfer-encoding\t: chunked')],
  ['a NUL in the name of the coding', coded('transfer-encoding\0: chunked')],
  ['the coding on a folded line', coded('transfer-encoding:', ' chunked')],
  ['a length with +', counted(`+${length}`)],
  ['a negative length', counted(`-${length}`)],
  ['a hexadecimal length', counted(`0x${size}`)],
  ['a length with _', counted('4_9')],
  ['a list of equal lengths', counted(`${length}, ${length}`)],
  ['a length with a space', counted(`${length} 0`)],
  ['no length in the header for it', counted('')],
  ['a length of 2^64', counted('18446744073709551616')],
  ['a length that is right modulo 2^64', counted(String(2n ** 64n + BigInt(length)))],
  ['a space before the colon of the length', coded(`content-length : ${length}`)],
  ['lines that end with LF', sound.replaceAll('\r\n', '\n')],
  ['a header that ends with LF', counted(String(length), 'x: y\nz: w')],
  ['a header that ends with CR', counted(String(length), 'x: y\rz: w')],
  ['a head that ends with LF', sound.replace('\r\n\r\n', '\n\n')],
  ['a folded line', counted(String(length), 'x: y', ' z')],
  ['a first header that is folded', sound.replace('\r\nhost', '\r\n host')],
  ['a header without a name', counted(String(length), ': chunked')],
  ['a line without a colon', counted(String(length), 'garbage')],
  ['HTTP/2.0', sound.replace('HTTP/1.1', 'HTTP/2.0')],
  ['HTTP/1.2', sound.replace('HTTP/1.1', 'HTTP/1.2')],
  ['HTTP/01.1', sound.replace('HTTP/1.1', 'HTTP/01.1')],
  ['HTTP/0.9', sound.replace('HTTP/1.1', 'HTTP/0.9')],
  ['no version', sound.replace(' HTTP/1.1', '')],
  ['a tab in the request line', sound.replace(' HTTP/1.1', '\tHTTP/1.1')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['the hello of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
]

/** Found out only while the relay reads the body. */
const refusedBodies: readonly [string, string][] = [
  ['a chunk size of 0x…', chunked(`0x${chunks}`)],
  ['a chunk size of +…', chunked(`+${chunks}`)],
  ['a chunk size of -…', chunked(`-${chunks}`)],
  ['a chunk size with _', chunked(`3_1\r\n${body}\r\n${finalChunk}`)],
  ['an empty chunk size', chunked(`\r\n${body}\r\n${finalChunk}`)],
  ['a space before the chunk size', chunked(` ${chunks}`)],
  ['a space behind the chunk size', chunked(`${size} \r\n${body}\r\n${finalChunk}`)],
  ['a chunk size beyond 2^64', chunked(`1${'0'.repeat(16)}${size}\r\n${body}\r\n${finalChunk}`)],
  ['a chunk size that ends with LF', chunked(`${size}\n${body}\r\n${finalChunk}`)],
  ['a chunk extension that ends with LF', chunked(`${size};a\n${body}\r\n${finalChunk}`)],
  ['a CR in a chunk extension', chunked(`${size};a\rb\r\n${body}\r\n${finalChunk}`)],
  ['a chunk extension of 100,000 bytes', chunked(`${size};${'a'.repeat(100_000)}\r\n${body}\r\n${finalChunk}`)],
  ['a chunk that ends with LF', chunked(`${size}\r\n${body}\n${finalChunk}`)],
  ['a chunk that is longer than its size', chunked(`${size}\r\n${body}XX${finalChunk}`)],
  ['a chunk without its line end', chunked(`${size}\r\n${body}${finalChunk}`)],
  ['chunks that end with LF', chunked(`${size}\r\n${body}\r\n0\r\n\n`)],
  ['a trailer that is a length', chunked(`${size}\r\n${body}\r\n0\r\ncontent-length: 9\r\n\r\n`)],
  ['a trailer that is a coding', chunked(`${size}\r\n${body}\r\n0\r\ntransfer-encoding: x\r\n\r\n`)],
]

/** Bytes as they are, and what came back until the connection closed. */
async function lastAsked(scene: Scene, bytes: string) {
  const client = await scene.connect()
  await client.send(Buffer.from(bytes, 'latin1'))
  const answer = await scene.answer(client)
  await answer.over()
  return { client, answer }
}

test.each([
  ...refusedHeads.map(([what, bytes]) => [what, bytes, 0] as const),
  ...refusedBodies.map(([what, bytes]) => [what, bytes, 1] as const),
])('C22: %s: refused, closed, and nothing reaches a host', (_what, bytes, requests) =>
  scenario({}, async (scene) => {
    const { client, answer } = await lastAsked(scene, bytes)
    expect(answer).toMatchObject({ status: 400, complete: true })
    expect(errorOf(answer)).toMatchObject({ code: 'invalid_request', type: 'invalid_request_error' })
    expect(answer.header('connection')).toBe('close')
    client.halfClose()
    await client.closed()
    expect(client.received.toString().match(/HTTP\/1\.1 /g)).toHaveLength(1)
    for (const line of await scene.gateway.outcomesOnce(requests)) {
      expect(line.fields).toMatchObject({ end: 'GR', status: 400 })
    }
    return { requests, attempts: {} }
  }),
)

const taken: readonly [string, string][] = [
  ['a sound one', sound],
  ['chunks in capital letters', `${head('transfer-encoding: CHUNKED')}${chunks}`],
  ['zeros before the length', sound.replace(`: ${length}`, `: 000${length}`)],
  ['chunk extensions', `${head('transfer-encoding: chunked')}${size};a=b\r\n${body}\r\n0;c="d"\r\n\r\n`],
  ['a header that resembles the coding', sound.replace('\r\n\r\n', '\r\ntransfer_encoding: chunked\r\n\r\n')],
  ['empty lines before it', `\r\n\r\n${sound}`],
]

test.each(taken)('C22: %s: one request to a host, with its own body', (_what, bytes) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const { answer } = await lastAsked(scene, bytes)
    expect(answer.status).toBe(200)
    const { request } = await scene.host().exchange()
    expect(request?.text).toBe(body)
    expect(request?.header('content-length')).toBe(String(length))
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each([
  ['of no length', head('content-length: 0')],
  ['without a length', head()],
])('C22: what stands behind a request %s is a request of its own, and not its body', (_what, first) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const { client, answer } = await lastAsked(scene, first + smuggled)
    expect(answer.status).toBe(400)
    expect(errorOf(answer).code).toBe('invalid_json')
    const second = await scene.answer(client)
    await second.over()
    expect(second.status).toBe(200)
    expect((await scene.host().exchange()).request?.text).toBe(smuggledBody)
    return { requests: 2, attempts: { a: 1 } }
  }),
)

test('C22: the body of a GET is no request', () =>
  scenario({}, async (scene) => {
    const get = `GET /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`
    const { client, answer } = await lastAsked(scene, get)
    expect(answer.status).toBe(200)
    expect((await scene.ask('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n', client)).text).toContain('ok')
    return { requests: 0, attempts: {} }
  }))

test('C15: a length that is too small leaves no JSON, and the rest is refused as a request', () =>
  scenario({}, async (scene) => {
    const { client, answer } = await lastAsked(scene, `${head('content-length: 10')}${body}`)
    expect(answer.status).toBe(400)
    expect(errorOf(answer).code).toBe('invalid_json')
    const rest = await scene.answer(client)
    await rest.over()
    expect(rest).toMatchObject({ status: 400, complete: true })
    client.halfClose()
    await client.closed()
    return { requests: 1, attempts: {} }
  }))

test('C15: what stands behind a whole body is refused only when its answer has left', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const { client, answer } = await lastAsked(scene, `${sound}garbage\r\n\r\n${smuggled}`)
    expect(answer).toMatchObject({ status: 200, complete: true })
    const rest = await scene.answer(client)
    await rest.over()
    expect(rest).toMatchObject({ status: 400, complete: true })
    client.halfClose()
    await client.closed()
    return { requests: 1, attempts: { a: 1 } }
  }))

test('C15: a body shorter than its length is waited for, then told 408', () =>
  scenario({ config: { relay: { bodyMsMax: 100 } } }, async (scene) => {
    const { answer } = await lastAsked(scene, `${head('content-length: 1000')}${body}`)
    expect(answer).toMatchObject({ status: 408, complete: true })
    expect(errorOf(answer).code).toBe('request_timeout')
    expect(answer.header('connection')).toBe('close')
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'cR', status: 408 })
    return { requests: 1, attempts: {} }
  }))

test.each([
  ['host', ['host: y']],
  ['host, equal', ['host: x']],
  ['authorization', ['authorization: Bearer a', 'authorization: Bearer b']],
  ['authorization, equal', ['authorization: Bearer a', 'Authorization: Bearer a']],
  ['x-api-key', ['x-api-key: a', 'X-API-Key: b']],
  ['content-type', ['content-type: text/plain']],
  ['content-encoding', ['content-encoding: identity', 'content-encoding: identity']],
  ['expect', ['expect: 100-continue', 'expect: 100-continue']],
  ['content-length', ['content-length: 0']],
  ['content-length, equal', [`content-length: ${length}`]],
])('C21: two headers %s: refused, whichever a host would have read', (_what, lines) =>
  scenario({}, async (scene) => {
    for (const path of ['/v1/chat/completions', '/v1/models', '/nowhere']) {
      const bytes = counted(String(length), ...lines).replace('/v1/chat/completions', path)
      const { client, answer } = await lastAsked(scene, bytes)
      expect(answer, path).toMatchObject({ status: 400, complete: true })
      expect(errorOf(answer).code).toBe('invalid_request')
      client.halfClose()
      await client.closed()
    }
    return { requests: 0, attempts: {} }
  }),
)

test('C21: on the listener of the operator as well', () =>
  scenario({}, async (scene) => {
    const client = await scene.connect({ port: Number(new URL(scene.gateway.adminUrl).port) })
    const answer = await scene.ask('GET /metrics HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n', client)
    expect(answer.status).toBe(400)
    return { requests: 0, attempts: {} }
  }))

const json = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
const streamed = JSON.stringify({ model, messages: [], stream: true })

test('C24: HTTP/1.1 has a host; HTTP/1.0 need not, and its connection closes behind the answer', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, json)
    const { answer } = await lastAsked(scene, sound.replace('host: x\r\n', ''))
    expect(answer).toMatchObject({ status: 400, complete: true })
    expect(errorOf(answer).message).toContain('host')
    for (const bytes of [sound, sound.replace('host: x\r\n', '')]) {
      const old = await lastAsked(scene, bytes.replace('HTTP/1.1', 'HTTP/1.0'))
      expect(old.answer).toMatchObject({ status: 200, complete: true })
      expect(old.answer.header('connection')).toBe('close')
      await old.client.closed()
    }
    return { requests: 2, attempts: { a: 2 } }
  }))

test('C24: HTTP/1.0 with keep-alive gets it where the answer has a length', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, json)
    const kept = sound.replace('HTTP/1.1', 'HTTP/1.0').replace('host: x', 'host: x\r\nconnection: keep-alive')
    const { client, answer } = await lastAsked(scene, kept)
    expect(answer.header('connection')).toBe('keep-alive')
    expect(answer.header('content-length')).toBeDefined()
    expect((await scene.ask(kept, client)).status).toBe(200)
    return { requests: 2, attempts: { a: 2 } }
  }))

test('C24: HTTP/1.0 never gets chunks: the end of the connection is the end of a stream', () =>
  scenario({}, async (scene) => {
    const story = contentFrame('once') + finishFrame + done
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story), finalChunk)
    const bytes = `${head(`content-length: ${streamed.length}`, 'connection: keep-alive')}${streamed}`
    const { client, answer } = await lastAsked(scene, bytes.replace('HTTP/1.1', 'HTTP/1.0'))
    expect(answer).toMatchObject({ status: 200, complete: true, text: story })
    expect(answer.header('transfer-encoding')).toBeUndefined()
    expect(answer.header('connection')).toBe('close')
    expect(await client.closed()).toBe('fin')
    return { requests: 1, attempts: { a: 1 } }
  }))

test('C38: trailers of a request and what it says of trailers go nowhere', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, json)
    const lines = [
      'transfer-encoding: chunked',
      'te: trailers, deflate',
      'trailer: x-trailing, authorization',
      'connection: te',
    ]
    const trailers = 'x-trailing: canary-of-a-trailer\r\nauthorization: Bearer canary-of-a-trailer\r\n'
    const bytes = `${head(...lines)}${size}\r\n${body}\r\n0\r\n${trailers}\r\n`
    const { client, answer } = await lastAsked(scene, bytes)
    expect(answer.status).toBe(200)
    const { request, connection } = await scene.host().exchange()
    for (const name of ['te', 'trailer', 'x-trailing', 'authorization']) expect(request?.header(name)).toBeUndefined()
    expect(request?.header('connection')).toBe('keep-alive')
    expect(Buffer.concat(connection.received).toString()).not.toContain('canary-of-a-trailer')
    expect((await scene.ask(sound, client)).status).toBe(200)
    return { requests: 2, attempts: { a: 2 }, secrets: ['canary-of-a-trailer'] }
  }))
