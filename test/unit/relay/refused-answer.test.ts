import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { Failure } from '../../../src/relay/failure.ts'
import { RefusedAnswer } from '../../../src/relay/refused-answer.ts'
import type { HeaderFields } from '../../../src/wire/headers.ts'
import { RecordingSink } from '../../kit/recording-sink.ts'
import { eachByte } from '../../kit/sse-streams.ts'

function refusing(status: number, headers: HeaderFields = {}, mediaType = 'application/json') {
  const sink = new RecordingSink()
  return { sink, answer: new RefusedAnswer({ status, headers, mediaType }, sink) }
}

const gone = new Failure('connection_lost', new GatewayError('upstream_disconnected', 'Gone.'))
const bodyBytesMax = 65_536
const sentence = '{"error":{"message":"No 🦀."}}'

describe('RefusedAnswer', () => {
  test('says what the host said, once it is whole', () => {
    const { sink, answer } = refusing(400)
    for (const byte of eachByte(Buffer.from(sentence))) answer.data(byte)
    expect(sink.ended).toBeUndefined()
    answer.end()
    expect(sink.ended).toMatchObject({ code: 'invalid_request', message: 'No 🦀.' })
  })

  test('relays nothing of it', () => {
    const { sink, answer } = refusing(500)
    answer.data(Buffer.from(sentence))
    answer.end()
    expect(sink).toMatchObject({ head: undefined, writes: [], contents: 0 })
  })

  test('of a connection that breaks says what the status says', () => {
    const { sink, answer } = refusing(429, { 'retry-after': '30' })
    answer.data(Buffer.from(sentence.slice(0, 9)))
    answer.broke(gone)
    expect(sink.ended).toMatchObject({
      code: 'upstream_busy',
      message: 'The host answered with status 429.',
      detail: { retryAfterMs: 30_000 },
    })
  })

  test('takes the first of two hints', () => {
    const { sink, answer } = refusing(503, { 'retry-after': ['7', '9'] })
    answer.end()
    expect(sink.ended).toMatchObject({ detail: { retryAfterMs: 7_000 } })
  })

  test.each([301, 304, 418, 599])('of status %i without a body is one too', (status) => {
    const { sink, answer } = refusing(status, {}, '')
    answer.end()
    expect(sink.ended).toMatchObject({ message: `The host answered with status ${status}.` })
  })

  test('is read up to its bound, and from one byte more on its status is enough', () => {
    const body = (bytes: number) => Buffer.from(sentence.padEnd(bytes - 2))
    const fits = refusing(400)
    fits.answer.data(body(bodyBytesMax))
    fits.answer.end()
    expect(fits.sink.ended).toMatchObject({ message: 'No 🦀.' })
    const over = refusing(400)
    over.answer.data(body(bodyBytesMax))
    over.answer.data(Buffer.from(' '))
    expect(over.sink.ended).toMatchObject({ message: 'The host answered with status 400.' })
  })

  test('is told once, whatever comes after', () => {
    const { sink, answer } = refusing(500)
    answer.data(Buffer.alloc(bodyBytesMax + 1))
    const told = sink.ended
    answer.data(Buffer.from('x'))
    answer.end()
    answer.broke(gone)
    expect(sink.ended).toBe(told)
  })
})
