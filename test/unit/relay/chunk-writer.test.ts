/** What is written past Node's own response comes out as Node would have written it. */
import { describe, expect, test } from 'vitest'
import { ChunkWriter } from '../../../src/relay/chunk-writer.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { eventually } from '../../kit/within.ts'
import { asked, door, type Exchanged } from './exchanged.ts'

const get = (version = '1.1') => `GET / HTTP/${version}\r\nhost: a\r\n\r\n`
const plain = { 'content-type': 'text/plain' }
const lengths = [1, 15, 0, 16, 255, 256, 4_096, 16_384, 16_385, 70_000]
const pieces = lengths.map((length, index) => String.fromCharCode(97 + index).repeat(length))
const whole = pieces.join('')

/** Writes all pieces, each in a turn of its own or all in one. */
async function writeAll({ outgoing }: Exchanged, inOneTurn: boolean, headers: Record<string, string> = plain) {
  const writer = new ChunkWriter(outgoing, () => {})
  outgoing.writeHead(200, headers)
  for (const piece of pieces) {
    writer.write(Buffer.from(piece))
    if (!inOneTurn) await new Promise(setImmediate)
  }
  outgoing.end('end')
}

async function bodyOf(client: RawClient): Promise<string> {
  const answer = await client.response()
  await answer.over()
  expect(answer.complete).toBe(true)
  return String(answer.body)
}

describe.each([[false], [true]])('pieces written in one turn: %s', (inOneTurn) => {
  test('each is a chunk of its own, and none of them is the last one', async () => {
    const scene = await asked(get())
    await writeAll(scene, inOneTurn)
    expect(await bodyOf(scene.client)).toBe(`${whole}end`)
    const framed = String(scene.client.received)
    for (const piece of pieces.filter((text) => text !== '')) {
      expect(framed).toContain(`\r\n${piece.length.toString(16)}\r\n${piece}\r\n`)
    }
  })

  test('an answer of a known length has no frames', async () => {
    const scene = await asked(get())
    await writeAll(scene, inOneTurn, { ...plain, 'content-length': String(whole.length + 3) })
    expect(await bodyOf(scene.client)).toBe(`${whole}end`)
  })

  test('a client of HTTP/1.0 sees no frames', async () => {
    const scene = await asked(get('1.0'))
    await writeAll(scene, inOneTurn)
    expect(await scene.client.closed()).toBe('fin')
    expect(String(scene.client.received).split('\r\n\r\n')[1]).toBe(`${whole}end`)
  })

  test('an answer behind another one waits for its turn', async () => {
    const { connect, arrived } = await door()
    const client = await connect()
    await client.send(get() + get())
    const first = await arrived(0)
    await writeAll(await arrived(1), inOneTurn)
    await writeAll(first, inOneTurn)
    expect(await bodyOf(client)).toBe(`${whole}end`)
    expect(await bodyOf(client)).toBe(`${whole}end`)
  })
})

test('a client that does not read is told of, and again when it reads; the next answer on its connection hears nothing', async () => {
  const { connect, arrived } = await door()
  const client = await connect()
  await client.send(get())
  const { outgoing } = await arrived(0)
  const socket = outgoing.socket!
  const listeners = socket.listenerCount('drain')
  let drains = 0
  const writer = new ChunkWriter(outgoing, () => drains++)
  outgoing.writeHead(200, plain)
  client.socket.pause()
  const piece = Buffer.alloc(10_000, 'x')
  let sent = 0
  for (let stops = 1; stops <= 3; stops++) {
    client.socket.pause()
    do sent++
    while (writer.write(piece))
    // One more, as it may come when the host is told to wait.
    sent++
    expect(writer.write(piece)).toBe(false)
    client.socket.resume()
    await eventually(5_000, `drain ${stops}`, () => drains === stops)
  }
  client.socket.pause()
  do sent++
  while (writer.write(piece))
  outgoing.end()
  writer.stop()
  expect(socket.listenerCount('drain')).toBe(listeners)
  client.socket.resume()
  expect(await bodyOf(client)).toHaveLength(sent * piece.length)
  expect(drains).toBe(3)
})

test('a client that left takes everything and hears nothing', async () => {
  const { client, outgoing } = await asked(get())
  let drains = 0
  const writer = new ChunkWriter(outgoing, () => drains++)
  outgoing.on('error', () => {})
  outgoing.writeHead(200, plain)
  writer.write(Buffer.from('begun'))
  client.resetAndDestroy()
  await eventually(2_000, 'the connection to close', () => outgoing.destroyed)
  writer.write(Buffer.from('more'))
  writer.stop()
  writer.write(Buffer.from('still more'))
  expect(drains).toBe(0)
})
