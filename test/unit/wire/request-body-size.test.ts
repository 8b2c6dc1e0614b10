import { afterEach, describe, expect, test, vi } from 'vitest'
import { readJsonBody } from '../../../src/wire/request-body.ts'

const rules = { choicesMax: 16, messagesMax: 10_485_760 }

describe('a body of 10 MiB', () => {
  const bodyBytes = 10 * 1_024 * 1_024
  const filled = (head: string, unit: string, tail: string) =>
    head + unit.repeat((bodyBytes - head.length - tail.length) / unit.length) + tail

  afterEach(() => {
    vi.restoreAllMocks()
  })

  test.each<[string, string, string, string]>([
    ['tiny members', '{"model":"m",', '"":1,', '"z":1}'],
    ['members that are nearly decisive', '{"model":"m",', '"strean":1,', '"z":1}'],
    ['keys with escapes', '{"model":"m",', String.raw`"\u006fn":1,`, '"z":1}'],
    ['one key, again and again', '{"model":"m",', '"tools":1,', '"z":1}'],
    ['words', '{"model":"m",', '"":true,', '"z":1}'],
    ['lists', '{"model":"m","messages":[', '[],', '[]]}'],
    ['texts', '{"model":"m","messages":[', '"",', '""]}'],
    ['prompts', '{"model":"m","prompt":[', '"",', '""]}'],
    ['options', '{"model":"m","stream_options":{', '"":1,', '"z":1}}'],
    ['one text of quotes', '{"model":"m","a":"', String.raw`\"`, '"}'],
    ['space', '{"model":"m"', ' ', '}'],
  ])(
    'of %s: only the model is decoded, and nothing but a few places is kept',
    (_shape, head, unit, tail) => {
      const bytes = Buffer.from(filled(head, unit, tail))
      const parse = vi.spyOn(JSON, 'parse')
      const decode = vi.spyOn(Buffer.prototype, 'toString')
      const { bytes: kept, ...rest } = readJsonBody(bytes, rules)
      expect(parse).not.toHaveBeenCalled()
      expect(decode.mock.calls.map(([, start, end]) => [start, end])).toEqual([[10, 11]])
      vi.restoreAllMocks()
      expect(kept).toBe(bytes)
      expect(JSON.stringify(rest).length).toBeLessThan(500)
    },
    30_000,
  )

  test.each<[string, string]>([
    ['model', '"'],
    ['previous_response_id', '"'],
    ['n', ''],
  ])('that is one %s is refused without being decoded', (param, quote) => {
    const others = param === 'model' ? '' : '"model":"m",'
    const bytes = Buffer.from(filled(`{${others}"${param}":${quote}`, '1', `${quote}}`))
    const decode = vi.spyOn(Buffer.prototype, 'toString')
    expect(() => readJsonBody(bytes, rules)).toThrow(expect.objectContaining({ detail: { param } }))
    for (const [, start, end] of decode.mock.calls) expect(Number(end) - Number(start)).toBeLessThan(32)
  })
})
