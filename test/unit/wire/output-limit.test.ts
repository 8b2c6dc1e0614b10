import { describe, expect, it } from 'vitest'
import { leastOutputTokens, surestOutputTokens } from '../../../src/wire/output-limit.ts'
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
    ['"max_tokens":1e999', null],
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
