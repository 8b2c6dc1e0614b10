import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { newKey } from '../../../src/access/api-key.ts'
import {
  checkKeyChange,
  checkNewKey,
  durationMs,
  expiryMs,
  keyChangeSchema,
  keyViewSchema,
  newKeySchema,
} from '../../../src/access/key-schema.ts'
import { GatewayError } from '../../../src/base/errors.ts'

const long = (length: number) => 'x'.repeat(length)
const manyTags = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`t${at}`, 'v']))

function refusalOf(check: () => unknown): GatewayError {
  try {
    check()
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
  throw new Error('it was accepted')
}

const whole = {
  name: 'Ada’s laptop, Köln 🚀',
  team: 'research',
  models: ['qwen3-8b', 'org/*', '*'],
  class: 'bulk',
  weight: 0.001,
  maxOutputTokens: 4_096,
  limits: { requestsPerMinute: 60, tokensPerMonth: 1_000_000 },
  tags: { 'cost-center': '42', 'a/b.c:d_e': '' },
  expiresAt: '2027-01-31T12:00:00+01:00',
}

test('a key with every field, with only a name, and with nulls where nothing is meant', () => {
  expect(checkNewKey(whole)).toEqual(whole)
  expect(checkNewKey({ name: ' Ada ' })).toEqual({ name: 'Ada' })
  const nothing = { name: 'Ada', team: null, models: null, maxOutputTokens: null, expiresAt: null }
  expect(checkNewKey(nothing)).toEqual(nothing)
})

test('a change may be any part of it, and a limit null; nothing is not asked for', () => {
  expect(checkKeyChange({})).toEqual({})
  expect(checkKeyChange(whole)).toEqual(whole)
  expect(checkKeyChange({ limits: { tokensPerMinute: null } })).toEqual({ limits: { tokensPerMinute: null } })
})

const bad: ReadonlyArray<readonly [string, unknown, string | undefined]> = [
  ['an unknown field', { role: 'admin' }, 'role'],
  ['another', { allowed_routes: ['*'] }, 'allowed_routes'],
  ['an id', { id: 'aaaaaaaa' }, 'id'],
  ['secrets', { secrets: [] }, 'secrets'],
  ['a time of making', { createdAtMs: 0 }, 'createdAtMs'],
  ['a name that is no text', { name: 1 }, 'name'],
  ['an empty name', { name: '' }, 'name'],
  ['a name of spaces', { name: ' \t\u{a0} ' }, 'name'],
  ['a name that is too long', { name: long(65) }, 'name'],
  ['a reserved name', { name: 'Anonymous' }, 'name'],
  ['a second', { name: ' other ' }, 'name'],
  ['a third', { name: 'admin' }, 'name'],
  ['a fourth', { name: 'Unknown' }, 'name'],
  ['a name of two lines', { name: 'a\nb' }, 'name'],
  ['a name with an escape', { name: 'a\u{1b}[31mb' }, 'name'],
  ['a name with a line separator', { name: 'a\u{2028}b' }, 'name'],
  ['a name with a paragraph separator', { name: 'a\u{2029}b' }, 'name'],
  ['a name with a direction', { name: 'a\u{202e}b' }, 'name'],
  ['a name with half a pair', { name: 'a\u{d800}b' }, 'name'],
  ['a name that is a key', { name: newKey().key.reveal().slice(0, 40) }, 'name'],
  ['an empty team', { team: '' }, 'team'],
  ['no models', { models: [] }, 'models'],
  ['too many models', { models: Array.from({ length: 201 }, () => 'm') }, 'models'],
  ['an empty model', { models: [''] }, 'models.0'],
  ['a long model', { models: ['m', long(257)] }, 'models.1'],
  ['a star in the middle', { models: ['a*b'] }, 'models.0'],
  ['two stars', { models: ['a**'] }, 'models.0'],
  ['an unknown class', { class: 'urgent' }, 'class'],
  ['no class', { class: null }, 'class'],
  ['no weight', { weight: 0 }, 'weight'],
  ['a negative weight', { weight: -1 }, 'weight'],
  ['a weight that is too great', { weight: 1_000.5 }, 'weight'],
  ['a weight beyond numbers', { weight: Number.POSITIVE_INFINITY }, 'weight'],
  ['no output at all', { maxOutputTokens: 0 }, 'maxOutputTokens'],
  ['half a token', { maxOutputTokens: 1.5 }, 'maxOutputTokens'],
  ['limits as null', { limits: null }, 'limits'],
  ['limits as a list', { limits: [] }, 'limits'],
  ['an unknown limit', { limits: { tpm: 5 } }, 'limits.tpm'],
  ['a limit of nothing', { limits: { tokensPerMinute: 0 } }, 'limits.tokensPerMinute'],
  ['a limit as text', { limits: { tokensPerMinute: '5' } }, 'limits.tokensPerMinute'],
  ['a limit beyond whole numbers', { limits: { tokensPerDay: 2 ** 53 } }, 'limits.tokensPerDay'],
  ['too many tags', { tags: manyTags(21) }, 'tags'],
  ['a long tag', { tags: { [long(65)]: 'v' } }, `tags.${long(64)}…`],
  ['a tag of a prototype', { tags: JSON.parse('{"__proto__":"v"}') as unknown }, 'tags'],
  ['a long value', { tags: { a: long(257) } }, 'tags.a'],
  ['a value of two lines', { tags: { a: 'b\r\nc' } }, 'tags.a'],
  ['a value that is a number', { tags: { a: 1 } }, 'tags.a'],
  ['a time without a zone', { expiresAt: '2027-01-31T12:00:00' }, 'expiresAt'],
  ['a date alone', { expiresAt: '2027-01-31' }, 'expiresAt'],
  ['a day that is none', { expiresAt: '2027-02-29T12:00:00Z' }, 'expiresAt'],
  ['a number', { expiresAt: 1_900_000_000_000 }, 'expiresAt'],
  ['a word', { expiresAt: 'never' }, 'expiresAt'],
  ['a prototype', JSON.parse('{"__proto__":{"role":"admin"}}') as unknown, '__proto__'],
]

test.each(bad)('%s is refused, in a new key and in a change, with its field', (_what, fields, param) => {
  const spread = JSON.stringify(fields).includes('__proto__') && param === '__proto__'
  const input = spread ? fields : { name: 'Ada', ...(fields as object) }
  if (!spread) {
    expect(refusalOf(() => checkNewKey(input))).toMatchObject({ code: 'invalid_request', detail: { param } })
  }
  expect(refusalOf(() => checkKeyChange(input))).toMatchObject({ code: 'invalid_request', detail: { param } })
})

test('a new key needs a name, and a limit cannot be taken from what has none', () => {
  expect(refusalOf(() => checkNewKey({})).message).toBe('name: is missing.')
  const refusal = refusalOf(() => checkNewKey({ name: 'Ada', limits: { tokensPerMinute: null } }))
  expect(refusal.detail.param).toBe('limits.tokensPerMinute')
})

test('what is exactly at a bound passes', () => {
  const atBounds = {
    name: long(64),
    models: Array.from({ length: 200 }, () => long(256)),
    weight: 1_000,
    maxOutputTokens: 1,
    tags: { ...manyTags(19), [long(64)]: long(256) },
    limits: { tokensPerMinute: 1 },
  }
  expect(checkNewKey(atBounds)).toEqual(atBounds)
})

test('a refusal does not give back what looks like a key, nor what terminals act upon', () => {
  const key = newKey().key.reveal()
  for (const input of [
    { [key]: 1 },
    { name: key },
    { tags: { a: key } },
    { models: [key] },
    { limits: { [key]: 1 } },
  ]) {
    const refusal = refusalOf(() => checkNewKey({ name: 'Ada', ...input }))
    expect(`${refusal.message} ${refusal.detail.param}`).not.toContain('lmx_live_')
  }
  expect(refusalOf(() => checkNewKey({ name: 'Ada', 'a\u{1b}[2J': 1 })).message).toBe(
    'a?[2J: is no field that is known here.',
  )
})

test('whatever comes is accepted or refused with a sentence', () => {
  const names = [...Object.keys(whole), 'role', '__proto__']
  const anything = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...names), fc.anything()))
  fc.assert(
    fc.property(anything, (input) => {
      for (const check of [checkNewKey, checkKeyChange]) {
        try {
          check(input)
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError)
        }
      }
    }),
    { numRuns: 300 },
  )
})

const hourMs = 3_600_000

test.each([
  ['45s', 45_000],
  ['90m', 90 * 60_000],
  ['12h', 12 * hourMs],
  ['30d', 30 * 24 * hourMs],
  ['2w', 14 * 24 * hourMs],
  ['0s', 0],
  ['', null],
  ['30', null],
  ['d', null],
  ['-1d', null],
  ['1.5h', null],
  ['1 d', null],
  ['1D', null],
  ['123456d', null],
])('the duration %s is %s ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms)
})

test('a key ends at a time with its zone, or so long from now, but never in the past', () => {
  const nowMs = Date.UTC(2026, 10, 26)
  expect(expiryMs('30d', nowMs)).toBe(nowMs + 30 * 24 * hourMs)
  expect(expiryMs('2026-11-26T02:00:00+01:00', nowMs)).toBe(nowMs + hourMs)
  for (const past of ['0d', '2026-11-26T00:00:00Z', '2026-11-26T00:59:59+01:00', '1999-01-01T00:00:00Z'])
    expect(refusalOf(() => expiryMs(past, nowMs))).toMatchObject({ detail: { param: 'expiresAt' } })
})

test.each([
  ['a new key', newKeySchema],
  ['a change', keyChangeSchema],
  ['a key as it is shown', keyViewSchema],
])('the JSON Schema of %s can be made, and allows nothing further', (_what, schema) => {
  expect(z.toJSONSchema(schema, { io: 'input' })).toMatchObject({ type: 'object', additionalProperties: false })
})
