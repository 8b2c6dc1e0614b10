/** The clients hold each token to what was sent: there, in order, unchanged, wherever the bytes were cut. */
import { expect, test } from 'vitest'
import { tokenEventOf, writeNumber, writeStamp } from '../../bench/load/token-event.ts'
import { TokenStream } from '../../bench/load/token-stream.ts'

const role = Buffer.from('data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n')
const done = Buffer.from('data: [DONE]\n\n')

function token(number: number, bytes = 180): Buffer {
  const event = tokenEventOf(bytes)
  writeNumber(event, 0, number)
  writeStamp(event, 0, 1_000 + number)
  return event
}

const whole = Buffer.concat([role, token(0), token(1), token(2), done])

test.each([1, 7, 100, 179, 180, 181, 1_000])(
  'in pieces of %d bytes every token is told once, by its stamp',
  (piece) => {
    const stamps: number[] = []
    const stream = new TokenStream((stampNs) => stamps.push(stampNs))
    for (let at = 0; at < whole.length; at += piece) stream.read(whole, at, Math.min(whole.length, at + piece))
    expect(stamps).toEqual([1_000, 1_001, 1_002])
    expect(stream).toMatchObject({ tokens: 3, isDone: true })
  },
)

test('bytes are read over after the call', () => {
  const stream = new TokenStream(() => {})
  const buffer = Buffer.alloc(100)
  for (let at = 0; at < whole.length; at += buffer.length) {
    const length = whole.copy(buffer, 0, at)
    stream.read(buffer, 0, length)
  }
  expect(stream).toMatchObject({ tokens: 3, isDone: true })
})

test.each([
  ['one is missing', [token(0), token(2)], 'token 2 where 1 was due'],
  ['one came twice', [token(0), token(0)], 'token 0 where 1 was due'],
  ['one is not as it was sent', [token(0), altered(token(1))], 'not as it was sent'],
  ['one is longer', [token(0), token(1, 190)], 'not as it was sent'],
])('where %s, it says so', (_what, events, words) => {
  const stream = new TokenStream(() => {})
  const bytes = Buffer.concat(events)
  expect(() => stream.read(bytes, 0, bytes.length)).toThrow(words)
})

test('an end that is missing is seen', () => {
  const stream = new TokenStream(() => {})
  const bytes = token(0)
  stream.read(bytes, 0, bytes.length - 1)
  expect(stream).toMatchObject({ tokens: 0, isDone: false })
})

function altered(event: Buffer): Buffer {
  event[event.length - 10]! ^= 1
  return event
}
