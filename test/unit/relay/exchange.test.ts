import { describe, expect, test, vi } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { type BodyLimits, ClientLeft } from '../../../src/relay/body-reader.ts'
import type { Exchange } from '../../../src/relay/exchange.ts'
import { chunkBytes, finalChunk, requestBytes } from '../../kit/http-bytes.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { eventually, within } from '../../kit/within.ts'
import { asked, budgetOf, door, type Exchanged } from './exchanged.ts'

const roomy = 1_000_000
const postHead = (...fields: readonly string[]) => `POST / HTTP/1.1\r\nhost: a\r\n${fields.join('\r\n')}\r\n\r\n`
const chunkedHead = postHead('transfer-encoding: chunked')
const get = (version = '1.1') => `GET / HTTP/${version}\r\nhost: a\r\n\r\n`
const plain = { 'content-type': 'text/plain' }

const unhurried = { msMax: 60_000, graceMs: 60_000, bytesPerSecondMin: 1 }

/** Starts reading; what comes of it is looked at later. */
function reading(exchange: Exchange, bytesMax = roomy, budgetBytes = roomy, pace: Partial<BodyLimits> = {}) {
  const { budget, share, noted } = budgetOf(budgetBytes)
  let result: unknown
  const settle = (outcome: unknown) => (result = outcome)
  const limits = { ...unhurried, bytesMax, budget: share, ...pace }
  const read = new Promise<unknown>((resolve) => {
    exchange.readBody(limits, { bodyRead: resolve, bodyFailed: resolve })
  }).then(settle)
  return { budget, share, noted, result: () => result, ended: () => within(2_000, 'the end of the body', read) }
}

const codeOf = (error: unknown) => (error instanceof GatewayError ? error.code : error)

describe('the clock of a body', () => {
  test.each([['that stands still'], ['that drips']])(
    'a body %s is given up at its bound and not before',
    async (how) => {
      const { clock, client, exchange } = await asked(`${postHead('content-length: 100')}ab`)
      const body = reading(exchange)
      await eventually(2_000, 'the first bytes', () => body.budget.held === 2)
      await clock.advance(30_000)
      if (how === 'that drips') {
        await client.send('cd')
        await eventually(2_000, 'more bytes', () => body.budget.held === 4)
      }
      await clock.advance(29_999)
      expect(body.result()).toBeUndefined()
      await clock.advance(1)
      expect(codeOf(await body.ended())).toBe('request_timeout')
      expect(body.budget.held).toBe(0)
      expect(clock.pendingTimers).toBe(0)
    },
  )

  const pace = { graceMs: 10_000, bytesPerSecondMin: 1_024 }
  const paced = async (head: string, bytes: number) => {
    const { clock, client, exchange } = await asked(head + 'x'.repeat(bytes))
    const body = reading(exchange, roomy, roomy, pace)
    await eventually(2_000, 'the first bytes', () => body.budget.held === bytes)
    return { clock, client, body }
  }

  test.each([
    [1, 10_000],
    [10_240, 10_000],
    [20_480, 20_000],
    [60_416, 59_000],
    [61_440, 60_000],
    [900_000, 60_000],
  ])('a body that stops after %s bytes is given up after %s ms and not before', async (bytes, ms) => {
    const { clock, body } = await paced(postHead('content-length: 1000000'), bytes)
    await clock.advance(ms - 1)
    expect(body.result()).toBeUndefined()
    await clock.advance(1)
    expect(codeOf(await body.ended())).toBe('request_timeout')
    expect(body.budget.held).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  test('bytes that come in time buy a body its time, at just the pace that is asked for', async () => {
    const { clock, client, body } = await paced(postHead('content-length: 25600'), 10_240)
    for (let sent = 11_264; sent <= 25_600; sent += 1_024) {
      await clock.advance(999)
      expect(body.result()).toBeUndefined()
      await client.send('x'.repeat(1_024))
      await eventually(2_000, `${sent} bytes`, () => body.budget.held === sent)
      await clock.advance(1)
    }
    expect(String(await body.ended())).toHaveLength(25_600)
    expect(clock.pendingTimers).toBe(0)
  })

  test('a body that is whole before has no clock any more', async () => {
    const { clock, client, exchange } = await asked(postHead('content-length: 2'))
    const body = reading(exchange)
    await clock.advance(59_999)
    await client.send('ab')
    expect(String(await body.ended())).toBe('ab')
    expect(clock.pendingTimers).toBe(0)
  })

  test.each([
    ['with its head: none', `${postHead('content-length: 2')}ab`, 0],
    ['in chunks, which do not tell how many follow: one', `${chunkedHead}2\r\nab\r\n0\r\n\r\n`, 1],
    ['in part: one', `${postHead('content-length: 3')}ab`, 1],
  ])('clocks that a body has which came %s', async (_how, request, clocks) => {
    const { clock, client, exchange } = await asked(request)
    const after = vi.spyOn(clock, 'after')
    const body = reading(exchange)
    await eventually(2_000, 'the bytes', () => body.budget.held === 2)
    expect(after).toHaveBeenCalledTimes(clocks)
    client.close()
    await body.ended()
  })

  test('a client that leaves gives its bytes back', async () => {
    const { clock, client, exchange } = await asked(`${postHead('content-length: 100')}ab`)
    const body = reading(exchange)
    await eventually(2_000, 'the first bytes', () => body.budget.held === 2)
    client.resetAndDestroy()
    expect(await body.ended()).toBeInstanceOf(ClientLeft)
    expect(body.budget.held).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('the bytes of a body', () => {
  const bodies: [string, (bytes: number) => Uint8Array | string][] = [
    ['declared', (bytes) => requestBytes('POST', '/', {}, Buffer.alloc(bytes, 'x'))],
    [
      'chunked',
      (bytes) =>
        Buffer.concat([Buffer.from(chunkedHead), chunkBytes(Buffer.alloc(bytes, 'x')), Buffer.from(finalChunk)]),
    ],
  ]

  test.each(bodies)('%s: as many as allowed are read', async (_form, request) => {
    const { exchange } = await asked(request(5_000))
    const body = reading(exchange, 5_000)
    expect(String(await body.ended())).toBe('x'.repeat(5_000))
    expect(body.budget.held).toBe(5_000)
  })

  test.each(bodies)('%s: one more is too large, and holds nothing', async (_form, request) => {
    const { exchange, clock } = await asked(request(5_001))
    const body = reading(exchange, 5_000)
    expect(codeOf(await body.ended())).toBe('request_too_large')
    expect(body.budget.held).toBe(0)
    expect(body.noted.refusals).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  test('a length that is too large is refused before a byte of it came', async () => {
    const { exchange } = await asked(postHead('content-length: 5001'))
    expect(codeOf(await reading(exchange, 5_000).ended())).toBe('request_too_large')
  })

  test('a body in 20,000 pieces is whole, and counted to the byte', async () => {
    const letters = Buffer.from(Array.from({ length: 20_000 }, (_, index) => 97 + (index % 26)))
    const { client, exchange } = await asked(chunkedHead)
    const body = reading(exchange)
    const pieces = Array.from(letters, (letter) => chunkBytes(Buffer.of(letter)))
    // Two thirds, then the rest, so that it is counted under way too.
    await client.send(Buffer.concat(pieces.slice(0, 13_333)))
    await eventually(3_000, '13,333 bytes', () => body.budget.held === 13_333)
    await client.send(Buffer.concat([...pieces.slice(13_333), Buffer.from(finalChunk)]))
    const bytes = (await body.ended()) as Buffer
    expect(bytes.equals(letters)).toBe(true)
    expect(body.budget.held).toBe(20_000)
    body.share.give(bytes.length)
    expect(body.budget.held).toBe(0)
  })

  test('the last byte of its share of the budget is given, one more is refused, and all of them come back', async () => {
    const { exchange } = await asked(requestBytes('POST', '/', {}, 'x'.repeat(1_000)))
    const fits = reading(exchange, roomy, 1_000)
    expect(String(await fits.ended())).toHaveLength(1_000)
    expect(fits.noted.refusals).toBe(0)
    const { client, exchange: second } = await asked(`${postHead('content-length: 1000')}${'x'.repeat(600)}`)
    const refused = reading(second, roomy, 999)
    await eventually(2_000, 'the first bytes', () => refused.budget.held === 600)
    await client.send('x'.repeat(400))
    expect(codeOf(await refused.ended())).toBe('concurrency_limit_exceeded')
    expect(refused.noted.refusals).toBe(1)
    expect(refused.budget.held).toBe(0)
  })
})

/** More than all buffers between here and a client that does not read. */
const flood = Buffer.alloc(32 * 1_048_576, 'x')

/** The exchange of a client that stopped reading in the middle of a flood. */
async function stopped(end = false) {
  const scene = await asked(get())
  scene.client.socket.pause()
  scene.exchange.head(200, { ...plain, 'content-length': String(flood.length) })
  if (end) scene.exchange.end(flood)
  else expect(scene.exchange.write(flood)).toBe(false)
  return scene
}

describe('a client that does not read', () => {
  test('is let go once it has taken nothing for 30 s, and not before', async () => {
    const { clock, told, outgoing } = await stopped()
    await clock.advance(29_999)
    expect(told).toEqual([])
    expect(outgoing.destroyed).toBe(false)
    await clock.advance(1)
    expect(told).toEqual(['stall'])
    await eventually(2_000, 'the connection to close', () => outgoing.destroyed)
    await clock.advance(60_000)
    expect(told).toEqual(['stall'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('is let go with a whole answer that it does not take, too, and told of', async () => {
    const { clock, told, outgoing } = await stopped(true)
    await clock.advance(29_999)
    expect(outgoing.destroyed).toBe(false)
    await clock.advance(1)
    await eventually(2_000, 'the connection to close', () => outgoing.destroyed)
    expect(told).toEqual(['stall'])
  })

  test('that leaves with a whole answer that it has not taken yet has left', async () => {
    const { clock, client, told, outgoing } = await stopped(true)
    client.resetAndDestroy()
    await eventually(2_000, 'the connection to close', () => outgoing.destroyed)
    expect(outgoing.writableFinished).toBe(false)
    await clock.advance(60_000)
    expect(told).toEqual(['leave'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('has taken a whole answer when its last bytes are out, not before', async () => {
    const { clock, client, told, outgoing } = await stopped(true)
    await clock.advance(29_999)
    expect([told, outgoing.writableFinished]).toEqual([[], false])
    client.socket.resume()
    await eventually(10_000, 'the flood to pass', () => told.length > 0)
    expect(told).toEqual(['taken'])
    expect(outgoing.writableFinished).toBe(true)
    await clock.advance(60_000)
    client.close()
    await eventually(2_000, 'the connection to close', () => outgoing.destroyed)
    expect(told).toEqual(['taken'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('stays when it reads again in time, and has 30 s anew at its next stop', async () => {
    const { clock, client, exchange, told } = await stopped()
    await clock.advance(29_999)
    client.socket.resume()
    await eventually(10_000, 'the flood to pass', () => told.length > 0)
    expect(told).toEqual(['drain'])
    expect(clock.pendingTimers).toBe(0)
    await clock.advance(60_000)
    expect(told).toEqual(['drain'])
    client.socket.pause()
    expect(exchange.write(flood)).toBe(false)
    await clock.advance(29_999)
    expect(told).toEqual(['drain'])
    await clock.advance(1)
    expect(told).toEqual(['drain', 'stall'])
  })

  test.each([['ended'], ['under way']])('an answer behind another, %s: its time begins with its turn', async (how) => {
    const { clock, connect, arrived } = await door()
    const client = await connect()
    await client.send(get() + get())
    const first = await arrived(0)
    const second = await arrived(1)
    await begin(first, client)
    client.socket.pause()
    second.exchange.head(200, { ...plain, 'content-length': String(flood.length) })
    if (how === 'ended') second.exchange.end(flood)
    else expect(second.exchange.write(flood)).toBe(false)
    await clock.advance(600_000)
    expect([first.outgoing.destroyed, second.outgoing.destroyed, ...first.told, ...second.told]).toEqual([false, false])
    first.exchange.end()
    await eventually(2_000, 'the turn of the second', () => second.outgoing.socket !== null)
    await clock.advance(29_999)
    expect(second.outgoing.destroyed).toBe(false)
    await clock.advance(1)
    await eventually(2_000, 'the connection to close', () => second.outgoing.destroyed)
    expect(second.told).toEqual(['stall'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('that leaves has left, and did not stall', async () => {
    const { clock, client, told } = await stopped()
    client.resetAndDestroy()
    await eventually(2_000, 'the client to have left', () => told.length > 0)
    await clock.advance(60_000)
    expect(told).toEqual(['leave'])
    expect(clock.pendingTimers).toBe(0)
  })
})

/** Begins an answer of which the client has read `begun`. */
async function begin({ exchange }: Exchanged, client: RawClient, headers: Record<string, string> = {}) {
  exchange.head(200, { ...plain, ...headers })
  exchange.write(Buffer.from('begun'))
  const answer = await client.response()
  await answer.has('begun')
  return answer
}

describe('an answer that is cut', () => {
  test.each([
    ['chunked', {}],
    ['counted', { 'content-length': '100' }],
  ])('%s: its last frame, then an end without the end of the answer', async (_form, headers) => {
    const { client, clock, ...exchanged } = await asked(get())
    const answer = await begin(exchanged, client, headers)
    exchanged.exchange.cut(' last')
    expect(await client.closed()).toBe('fin')
    expect(answer.text).toBe('begun last')
    expect([answer.complete, answer.cut]).toEqual([false, true])
    expect(client.received.toString()).not.toContain('0\r\n\r\n')
    expect(exchanged.told).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('of HTTP/1.0, where only the end of the connection would end it: a reset', async () => {
    const { client, ...exchanged } = await asked(get('1.0'))
    await begin(exchanged, client)
    exchanged.exchange.cut('')
    expect(await client.closed()).toBe('reset')
  })

  test('of HTTP/1.0 with its length told: an orderly end, since it is visibly short', async () => {
    const { client, ...exchanged } = await asked(get('1.0'))
    const answer = await begin(exchanged, client, { 'content-length': '100' })
    exchanged.exchange.cut(' last')
    expect(await client.closed()).toBe('fin')
    expect(answer.text).toBe('begun last')
    expect(answer.cut).toBe(true)
  })

  test('before a client that does not read: after 5 s without its last frame, not before', async () => {
    const { clock, exchange, outgoing } = await stopped()
    exchange.cut('last')
    await clock.advance(4_999)
    expect(outgoing.destroyed).toBe(false)
    await clock.advance(1)
    await eventually(2_000, 'the connection to close', () => outgoing.destroyed)
  })

  test('behind another answer on the same connection: that one has its time first', async () => {
    const { clock, connect, arrived } = await door()
    const client = await connect()
    await client.send(get() + get())
    const first = await arrived(0)
    const second = await arrived(1)
    const answer = await begin(first, client)
    second.exchange.head(200, plain)
    second.exchange.write(Buffer.from('second'))
    second.exchange.cut(' last')
    await clock.advance(20_000)
    first.exchange.write(Buffer.from(' and ended'))
    first.exchange.end()
    await answer.over()
    expect([answer.text, answer.complete]).toEqual(['begun and ended', true])
    const cut = await client.response()
    await cut.over()
    expect([cut.text, cut.cut]).toEqual(['second last', true])
    expect(await client.closed()).toBe('fin')
  })
})
