/** Clients that are slow: to read, to send their headers, to send their bodies. Each is cut off in time, the others are served. */
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { chunkBytes, finalChunk, requestBytes, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { eventually, within } from '../../kit/within.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame, type Scene, scenario } from './scene.ts'
import { SlowReader } from './slow-reader.ts'

const long = process.env['TEST_LONG'] === 'true'
const mebibyte = 1_048_576
/** 256 KiB may wait for a client, and as much again may be in the buffers from which its host is read. */
const heldBytesMax = 2 * 262_144

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes in buffers that are still used: what is not goes within a few collections, since the system frees it beside them. */
async function heldBytes(): Promise<number> {
  let least = Infinity
  for (let round = 0; round < 10; round += 1) {
    collectGarbage()
    await pause(30)
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
}

/** Far more than the buffers of the system take between a host and a client: Linux lets each of four grow to some MiB. */
const frame = contentFrame('x'.repeat(16_000))
const frames = Math.ceil((64 * mebibyte) / frame.length)
const longStream = [sseHeadBytes(), ...Array.from({ length: frames }, () => chunkBytes(frame))]

const shortStream = [contentFrame('short'), finishFrame, done].join('')

async function expectServed(scene: Scene): Promise<void> {
  scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(shortStream), finalChunk)
  const answer = await scene.ask(chatBytes({ stream: true }))
  expect([answer.status, answer.complete, answer.text]).toEqual([200, true, shortStream])
}

/** Resolves once no host could send another byte for a while. */
async function hostStopped(scene: Scene): Promise<void> {
  const sent = () => scene.host().exchanges.reduce((sum, { connection }) => sum + connection.socket.bytesWritten, 0)
  let seen = -1
  const look = async () => {
    while (sent() !== seen) {
      seen = sent()
      await pause(300)
    }
  }
  await within(20_000, 'the hosts to be stopped', look())
}

test('C07: readers at 1 KiB/s slow their hosts, hold little, are cut off in the end, and slow nobody else', () => {
  const readers = long ? 50 : 6
  const clientStallMsMax = long ? 30_000 : 3_000
  return scenario({ slots: readers + 1, config: { relay: { clientStallMsMax } } }, async (scene) => {
    const slow: SlowReader[] = []
    onTestFinished(() => {
      for (const reader of slow) reader.close()
    })
    await expectServed(scene)
    const before = await heldBytes()
    for (let index = 0; index < readers; index += 1) {
      scene.host().play(wholeRequest, ...longStream)
      const reader = new SlowReader(scene.gateway.port, { bytes: 1_024, everyMs: 1_000 })
      slow.push(reader)
      reader.send(chatBytes({ stream: true }))
    }
    await Promise.all(slow.map((reader) => reader.begun()))
    await hostStopped(scene)
    expect(((await heldBytes()) - before) / readers).toBeLessThan(heldBytesMax)
    const exchanges = scene.host().exchanges.slice(1)
    for (const { connection, done: whole } of exchanges) {
      expect(whole).toBe(false)
      expect(connection.socket.bytesWritten).toBeLessThan(48 * mebibyte)
    }
    const others = 20
    for (let index = 0; index < others; index += 1) await expectServed(scene)

    const outcomes = await scene.gateway.outcomesOnce(1 + readers + others, 20 * clientStallMsMax)
    await Promise.all(exchanges.map((exchange) => exchange.peerLeft()))
    const cut = outcomes.filter(({ fields }) => fields['end'] !== '--')
    expect(cut).toHaveLength(readers)
    for (const { fields } of cut) {
      expect(fields).toMatchObject({ status: 200, end: 'cD', attempts: 1, usage: 'counted' })
      expect(fields['tokensOut']).toBeGreaterThan(1)
      expect(fields['tokensOut']).toBeLessThan(frames)
    }
    const requests = 1 + readers + others
    return { requests, attempts: { a: requests } }
  })
}, 900_000)

test('C08: one that never reads is cut off too, and does not hold its host: a stream, and a long answer that is none', () =>
  scenario({ slots: 2, config: { relay: { clientStallMsMax: 500 } } }, async (scene) => {
    const sound = responseBytes(200, { 'content-type': 'audio/wav' }, Buffer.alloc(64 * mebibyte, 7))
    scene.host().play(wholeRequest, ...longStream)
    scene.host().play(wholeRequest, sound)
    for (const [index, path] of ['/v1/chat/completions', '/v1/audio/speech'].entries()) {
      const client = await scene.connect()
      client.socket.pause()
      const body = JSON.stringify({ model: 'm', voice: 'a', input: 'x', messages: [], stream: index === 0 })
      await client.send(requestBytes('POST', path, { 'content-type': 'application/json' }, body))
      const exchange = await scene.host().exchange(index)
      await exchange.peerLeft(10_000)
      const outcome = (await scene.gateway.outcomesOnce(index + 1))[index]
      expect(outcome!.fields).toMatchObject({ status: 200, end: 'cD', attempts: 1, stream: index === 0 })
    }
    await expectServed(scene)
    return { requests: 3, attempts: { a: 3 } }
  }))

/** Resolves when the server is gone: a client that does not read learns of it only by what it sends. */
async function letGo(client: RawClient): Promise<void> {
  const taken = () =>
    client.send('\r\n').then(
      () => true,
      () => false,
    )
  const trying = async () => {
    while (await taken()) await pause(20)
  }
  await within(20_000, 'the server to let the client go', trying())
}

test('C11: one that asks again and again for what it does not read is let go, whoever gives the answers', () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `m${'-'.repeat(100)}${index}`)
  const options = { hosts: { a: ['m', ...names] }, config: { relay: { clientStallMsMax: 500 } } }
  return scenario(options, async (scene) => {
    const client = await scene.connect()
    client.socket.pause()
    // Some MB for each of them, so that the buffers of the system are full after a few.
    await client.send(Buffer.concat(Array.from({ length: 20 }, () => requestBytes('GET', '/v1/models'))))
    await letGo(client)
    await expectServed(scene)
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('C09: headers that drip are answered 408 and their connections closed, while others are served', () =>
  scenario({ config: { server: { headerMsMax: 500 } } }, async (scene) => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => scene.connect()))
    const dripping = setInterval(() => {
      for (const client of clients) if (client.endedBy === undefined) client.socket.write('x-drip: 1\r\n')
    }, 50)
    onTestFinished(() => clearInterval(dripping))
    await Promise.all(clients.map((client) => client.send('POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n')))
    await expectServed(scene)
    for (const client of clients) {
      const answer = await client.response(20_000)
      await answer.over()
      expect([answer.status, answer.complete, answer.header('connection')]).toEqual([408, true, 'close'])
      expect(errorOf(answer).code).toBe('request_timeout')
      await client.closed()
    }
    await expectServed(scene)
    return { requests: 2, attempts: { a: 2 } }
  }))

test('C10: a body that drips is answered 408, and holds no slot until then', () =>
  scenario({ slots: 1, config: { relay: { bodyGraceMs: 1_000, bodyBytesPerSecondMin: 1_024 } } }, async (scene) => {
    const whole = chatBytes({ padding: 'x'.repeat(10_000) })
    const clients = await Promise.all(Array.from({ length: 10 }, () => scene.connect()))
    let at = 200
    await Promise.all(clients.map((client) => client.send(whole.subarray(0, at))))
    const dripping = setInterval(() => {
      for (const client of clients) if (client.endedBy === undefined) client.socket.write(whole.subarray(at, at + 1))
      at += 1
    }, 50)
    onTestFinished(() => clearInterval(dripping))
    await expectServed(scene)
    for (const client of clients) {
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, answer.complete, answer.header('connection')]).toEqual([408, true, 'close'])
      expect(errorOf(answer).code).toBe('request_timeout')
    }
    clearInterval(dripping)
    await gaugeReaches(scene.gateway, 'queue_bytes', 0)
    expect(await scene.gateway.sum('requests_total', { status: '408', end: 'cR' })).toBe(clients.length)
    await eventually(5_000, 'the connections to close', () => clients.every((client) => client.endedBy !== undefined))
    return { requests: 1 + clients.length, attempts: { a: 1 } }
  }))
