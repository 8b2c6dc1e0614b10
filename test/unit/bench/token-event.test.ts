/** The event of a token: what is written into it is read out of it. */
import { expect, test } from 'vitest'
import {
  eventBytesMin,
  nowNs,
  numberIn,
  stampIn,
  tokenEventOf,
  tokenHead,
  writeNumber,
  writeStamp,
} from '../../bench/load/token-event.ts'

test.each([0, eventBytesMin, 200, 1_000])(
  'an event of %d bytes is one whole frame of JSON, no shorter than it can be',
  (bytes) => {
    const event = tokenEventOf(bytes)
    expect(event.length).toBe(Math.max(bytes, eventBytesMin))
    expect(event.subarray(0, tokenHead.length)).toEqual(tokenHead)
    const text = event.toString()
    expect(text.endsWith('\n\n')).toBe(true)
    expect(JSON.parse(text.slice('data: '.length))).toMatchObject({
      choices: [{ delta: { content: expect.any(String) as string } }],
    })
  },
)

test.each([0, 1, 999_999_999, 1_000_000_000, 123_456_789_012_345, Number.MAX_SAFE_INTEGER])(
  'a stamp of %d ns comes back',
  (ns) => {
    const bytes = Buffer.concat([Buffer.from('a5\r\n'), tokenEventOf(200)])
    writeStamp(bytes, 4, ns)
    writeNumber(bytes, 4, 4_711)
    expect(stampIn(bytes, 4)).toBe(ns)
    expect(numberIn(bytes, 4)).toBe(4_711)
  },
)

test('the clock goes on', () => {
  const before = nowNs()
  expect(nowNs()).toBeGreaterThanOrEqual(before)
})
