import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChaosHost, halfClose, pause, reset, wholeRequest } from '../../kit/chaos-host.ts'
import {
  chunkBytes,
  finalChunk,
  jsonRequestBytes,
  jsonResponseBytes,
  requestBytes,
  sseHeadBytes,
} from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { eventually } from '../../kit/within.ts'

let host: ChaosHost
let client: RawClient

beforeEach(async () => {
  host = await ChaosHost.start({ models: ['tiny'], get: { '/healthz': { ok: true } } })
  client = await RawClient.open(Number(new URL(host.url).port))
})

afterEach(async () => {
  client.close()
  await host.close()
})

const chat = jsonRequestBytes('/v1/chat/completions', { model: 'tiny' })

test('plays bytes up to a pause, and on when the test says so', async () => {
  host.play(sseHeadBytes(), chunkBytes('data: 1\n\n'), pause, chunkBytes('data: 2\n\n'), pause, finalChunk)
  await client.send(chat)
  const response = await client.response()
  await response.has('data: 1')
  const exchange = await host.exchange()
  await exchange.paused()
  expect(response.text).toBe('data: 1\n\n')
  await exchange.step()
  await response.has('data: 2')
  expect(response.complete).toBe(false)
  await exchange.step()
  await response.over()
  expect(response.complete).toBe(true)
  expect(response.pieces[1]!.atMs).toBeGreaterThanOrEqual(response.pieces[0]!.atMs)
})

test('a reset shows as a cut answer and a reset connection', async () => {
  host.play(sseHeadBytes(), chunkBytes('data: 1\n\n'), pause, reset)
  await client.send(chat)
  const response = await client.response()
  await response.has('data: 1')
  await (await host.exchange()).step()
  expect(await client.closed()).toBe('reset')
  expect(response).toMatchObject({ complete: false, cut: true })
})

test('a half-close ends the sending side alone', async () => {
  host.play(sseHeadBytes(), halfClose, pause)
  await client.send(chat)
  expect(await client.closed()).toBe('fin')
  await client.send('more')
  const { connection } = await host.exchange()
  await eventually(5_000, 'the bytes after the half-close', () => Buffer.concat(connection.received).includes('more'))
  expect(connection.peerEndedBy).toBeUndefined()
})

test('tells how its peer left, in the middle of a script too', async () => {
  host.play(sseHeadBytes(), pause)
  host.play(sseHeadBytes(), pause)
  await client.send(chat)
  await client.response()
  client.close()
  expect(await (await host.exchange(0)).peerLeft()).toBe('fin')
  const second = await RawClient.open(Number(new URL(host.url).port))
  await second.send(chat)
  await second.response()
  second.resetAndDestroy()
  expect(await (await host.exchange(1)).peerLeft()).toBe('reset')
})

test('keeps the request, and can wait for the whole of it', async () => {
  host.play(wholeRequest, jsonResponseBytes(200, {}))
  await client.send(chat.subarray(0, -3))
  const { request } = await host.exchange()
  expect(request).toMatchObject({ method: 'POST', path: '/v1/chat/completions', complete: false })
  expect(client.received).toHaveLength(0)
  await client.send(chat.subarray(-3))
  expect((await client.response()).status).toBe(200)
  expect(JSON.parse(request!.text)).toEqual({ model: 'tiny' })
})

test('answers probes soundly and everything unscripted with a 500 that says so', async () => {
  await client.send(requestBytes('GET', '/v1/models'))
  const models = await client.response()
  await models.over()
  expect(JSON.parse(models.text)).toMatchObject({ data: [{ id: 'tiny' }] })
  await client.send(requestBytes('GET', '/healthz'))
  expect((await client.response()).status).toBe(200)
  await client.send(requestBytes('GET', '/elsewhere'))
  expect((await client.response()).status).toBe(404)
  await client.send(chat)
  const unscripted = await client.response()
  await unscripted.has('the test wrote no script')
  expect(host.soundRequests).toEqual(['GET /v1/models', 'GET /healthz', 'GET /elsewhere'])
})

test('a script may begin with the connection and end it', async () => {
  host.playOnConnection(pause, 'HTTP/1.1 200 OK\r\n', reset)
  const second = await RawClient.open(Number(new URL(host.url).port))
  await second.send(chat)
  await (await host.exchange()).step()
  await expect(second.response()).rejects.toThrow('the connection ended (reset)')
})

test('connections are counted and free again after their peer left', async () => {
  host.playAlways(wholeRequest, jsonResponseBytes(200, {}))
  await client.send(chat)
  await client.response()
  await client.send(chat)
  await client.response()
  expect(host.connectionsOpened).toBe(1)
  client.close()
  await eventually(5_000, 'the connection to be gone', () => host.connectionsOpen === 0)
  expect(host.exchanges).toHaveLength(2)
})

test('a client that waits for what cannot come any more fails at once and says what did come', async () => {
  host.play(jsonResponseBytes(200, { a: 1 }))
  await client.send(chat)
  const response = await client.response()
  await expect(response.has('never')).rejects.toThrow('"never" did not come (the message is whole); body: {"a":1}')
})

test('bytes that are not HTTP fail the client', async () => {
  host.play(sseHeadBytes(), 'not a chunk\r\n')
  await client.send(chat)
  await expect(client.response().then((response) => response.has('x'))).rejects.toThrow('not a chunk size')
})
