import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BodyChange, readJsonBody, spliceBody } from '../../../src/wire/request-body.ts'
import { OddJson, oddValue, whims } from './odd-json.ts'

const rules = { choicesMax: 16, messagesMax: 4_096 }

const splice = (text: string, change: Partial<BodyChange> = {}) =>
  spliceBody(readJsonBody(Buffer.from(text), rules), {
    model: 'm',
    askUsage: false,
    askStream: true,
    ...change,
  }).toString()

describe('a stream is asked for', () => {
  test.each([
    ['{"model":"m"}', '{"stream":true,"model":"m"}'],
    [' { "model" : "m" } ', ' {"stream":true, "model" : "m" } '],
    ['{"model":"m","stream":false,"a":1}', '{"model":"m","stream":true,"a":1}'],
    ['{"stream": null ,"model":"m"}', '{"stream": true ,"model":"m"}'],
    [String.raw`{"model":"m","\u0073tream":false}`, String.raw`{"model":"m","\u0073tream":true}`],
    ['{"model":"m","x":{"stream":false}}', '{"stream":true,"model":"m","x":{"stream":false}}'],
  ])('in %s', (text, result) => {
    expect(splice(text)).toBe(result)
  })

  test('and usage, and another model, in one body', () => {
    const change = { model: 'other', askUsage: true }
    expect(splice('{"model":"m","n":2}', change)).toBe(
      '{"stream_options":{"include_usage":true},"stream":true,"model":"other","n":2}',
    )
    expect(splice('{"stream_options":null,"stream":false,"model":"m"}', change)).toBe(
      '{"stream_options":{"include_usage":true},"stream":true,"model":"other"}',
    )
  })

  test('and where one was asked for already, the bytes are the same', () => {
    const body = readJsonBody(Buffer.from('{"stream" :true,"model":"m"}'), rules)
    expect(spliceBody(body, { model: 'm', askUsage: false, askStream: true })).toBe(body.bytes)
  })

  test('and where none is wanted, nothing changes', () => {
    expect(splice('{"model":"m","stream":false}', { askStream: false })).toBe('{"model":"m","stream":false}')
  })
})

test('any body: a stream is asked for, what else changes does as ever, and every other byte stays', () => {
  const made = fc.record({
    stream: fc.constantFrom(undefined, null, false, true),
    others: fc.array(oddValue, { maxLength: 3 }),
    place: fc.nat(),
    model: fc.constantFrom('m', 'other'),
    askUsage: fc.boolean(),
    whims,
  })
  fc.assert(
    fc.property(made, ({ stream, others, place, model, askUsage, whims: chosen }) => {
      const odd = new OddJson(chosen)
      const members = ['"model":"m"', ...others.map((value, index) => odd.member(`x${index}`, odd.value(value)))]
      const at = place % (members.length + 1)
      const key = odd.member('stream', '')
      const body = (value: string | null) =>
        `{${members.toSpliced(at, 0, ...(value === null ? [] : [key + value])).join(',')}}`
      const change = { model, askUsage }
      const told = splice(body(stream === undefined ? null : String(stream)), change)
      const parsed = JSON.parse(told) as Record<string, unknown>
      expect(parsed).toMatchObject({ stream: true, model })
      expect('stream_options' in parsed).toBe(askUsage)
      // As if the client itself had asked.
      if (stream !== undefined) expect(told).toBe(splice(body('true'), change))
      else expect(told.replace('"stream":true,', '')).toBe(splice(body(null), { ...change, askStream: false }))
    }),
  )
})
