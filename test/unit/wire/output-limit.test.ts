import { describe, expect, it } from 'vitest'
import {
  leastOutputTokens,
  mostOutputTokens,
  outputLimitEdits,
  surestOutputTokens,
} from '../../../src/wire/output-limit.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'

function limitsOf(fields: string) {
  const body = Buffer.from(`{"model":"m"${fields === '' ? '' : `,${fields}`}}`)
  return readJsonBody(body, { choicesMax: 4, messagesMax: 4 }).outputLimits
}

describe('the bound that holds whichever spelling a host reads', () => {
  it.each([
    ['', null],
    ['"max_tokens":9', 9],
    ['"max_completion_tokens":9', null],
    ['"max_tokens":9,"max_completion_tokens":8', 9],
    ['"n_predict":1,"max_tokens":8000', 8_000],
    ['"n_predict":1', null],
    ['"max_output_tokens":1', null],
    ['"max_tokens":null,"n_predict":1', null],
    ['"max_tokens":9,"n_predict":-1', null],
    ['"max_tokens":0', null],
    ['"max_tokens":0.0', null],
    ['"max_tokens":0e9', null],
    ['"max_tokens":"9"', null],
  ])('of a chat with %s is %s', (fields, bound) => {
    expect(surestOutputTokens(limitsOf(fields), 'max_tokens')).toBe(bound)
  })

  it('is by the endpoint’s own spelling, and none where no text is generated', () => {
    expect(surestOutputTokens(limitsOf('"max_output_tokens":7'), 'max_output_tokens')).toBe(7)
    expect(surestOutputTokens(limitsOf('"max_tokens":7'), 'max_output_tokens')).toBeNull()
    expect(surestOutputTokens(limitsOf('"max_completion_tokens":7'), 'max_output_tokens')).toBeNull()
    expect(surestOutputTokens(limitsOf('"max_tokens":7'), null)).toBeNull()
  })
})

it.each([
  ['', null],
  ['"max_tokens":0,"n_predict":null', null],
  ['"max_tokens":8000,"n_predict":3', 3],
])('the least bound of %s is %s', (fields, bound) => {
  expect(leastOutputTokens(limitsOf(fields))).toBe(bound)
})

describe('the most that a host may set aside for an answer', () => {
  const largest = Number.MAX_SAFE_INTEGER

  it.each([
    ['', null],
    ['"max_tokens":9,"n_predict":-1', 9],
    ['"max_tokens":9,"max_completion_tokens":"70"', 70],
    ['"max_completion_tokens":9', null],
    ['"max_tokens":null,"max_completion_tokens":9', null],
    ['"max_tokens":"4000"', 4_000],
    ['"max_tokens":4000.0', 4_000],
    [`"max_tokens":4000.${'0'.repeat(60)}`, 4_000],
    ['"max_tokens":99999999999999999999', largest],
    [`"max_tokens":${'9'.repeat(100)}`, largest],
    ['"max_tokens":1e308', largest],
    ['"max_tokens":1e999', largest],
    ['"max_tokens":"99999999999999999999"', largest],
    ['"max_tokens":1.5', null],
    ['"max_tokens":"0x10"', null],
  ])('of a chat with %s is %s: what is too large to count is not none', (fields, bound) => {
    expect(mostOutputTokens(limitsOf(fields), 'max_tokens')).toBe(bound)
  })

  it('is none that holds, where it stands in quotes: some hosts find no bound there, and a key’s own takes its place', () => {
    const limits = limitsOf('"max_tokens":"4000"')
    expect([surestOutputTokens(limits, 'max_tokens'), leastOutputTokens(limits)]).toEqual([null, null])
    const edits = outputLimitEdits(limits, { own: 'max_tokens', tokensMax: 5_000, start: 1 })
    expect(edits.map(({ text }) => text)).toEqual(['5000'])
  })
})
