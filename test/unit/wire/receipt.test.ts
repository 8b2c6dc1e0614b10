import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { receiptComment, receiptHeaders, type SpeedReceipt, wantsReceipt } from '../../../src/wire/receipt.ts'
import { eventsIn, frame } from '../../kit/sse-streams.ts'

const receipt: SpeedReceipt = {
  queueMs: 12.34,
  ttftMs: 250.06,
  upstreamTtftMs: 237.72,
  inputTokens: 9,
  cachedInputTokens: 4,
  outputTokens: 21,
  tokensPerSecond: 1_000 / 30,
  timePerOutputTokenMs: 30.00049,
  endToEndTokensPerSecond: 24.7047,
  durationMs: 850.04,
  usage: 'reported',
  host: 'studio',
  attempts: 1,
}

const told =
  '{"queueMs":12.3,"ttftMs":250.1,"upstreamTtftMs":237.7,"inputTokens":9,"cachedInputTokens":4,"outputTokens":21,' +
  '"tokensPerSecond":33.33,"timePerOutputTokenMs":30,"endToEndTokensPerSecond":24.7,"durationMs":850,"usage":"reported","host":"studio","attempts":1}'

describe('asked for', () => {
  test.each(['1', 'true'])('by %s', (wish) => {
    expect(wantsReceipt({ 'x-lmx-gateway-receipt': wish })).toBe(true)
  })

  test.each([undefined, '0', 'false'])('not by %s', (wish) => {
    expect(wantsReceipt({ 'x-lmx-gateway-receipt': wish })).toBe(false)
  })

  test.each(['', 'TRUE', 'yes', '1, 1', ['1', '1']])('and %s is refused: whoever writes it means something', (wish) => {
    expect(() => wantsReceipt({ 'x-lmx-gateway-receipt': wish })).toThrow('must be 1 or 0')
  })
})

test('a comment with an empty line, and a header, say the same', () => {
  expect(receiptComment(receipt)).toBe(`: lmx-gateway-receipt ${told}\n\n`)
  expect(receiptHeaders(receipt)).toEqual({ 'x-lmx-gateway-receipt': told })
})

test('what is not known, and what is no number, is null', () => {
  const header = receiptHeaders({ ...receipt, ttftMs: null, usage: null, tokensPerSecond: 1_000 / 0, host: null })
  expect(JSON.parse(header['x-lmx-gateway-receipt']!)).toMatchObject({
    ttftMs: null,
    usage: null,
    tokensPerSecond: null,
    host: null,
  })
})

test('whatever the figures and the name of the host, it is one bounded line of ASCII, JSON, and no event', () => {
  const figure = fc.option(fc.double())
  const hostile = fc.string({
    unit: fc.constantFrom('a', '"', '\\', '\r\n\r\n', 'data: [DONE]\n\n', '\0', '\x7F', 'é', '🦀', '\uD83E'),
  })
  fc.assert(
    fc.property(figure, figure, hostile, (ms, tokens, host) => {
      const odd = { ...receipt, queueMs: ms, tokensPerSecond: ms, inputTokens: tokens, host }
      const [line = '', ...rest] = receiptComment(odd).split('\n')
      expect(rest).toEqual(['', ''])
      expect(line).toMatch(/^: lmx-gateway-receipt \{[\x20-\x7E]*\}$/)
      expect(line.length).toBeLessThan(1_024)
      const parsed = JSON.parse(line.slice(line.indexOf('{'))) as SpeedReceipt
      expect(parsed.host).toBe(host.slice(0, 64))
      expect(eventsIn(receiptComment(odd) + frame('x'))).toMatchObject([{ data: 'x' }])
    }),
  )
})
