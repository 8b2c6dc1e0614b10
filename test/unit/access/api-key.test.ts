import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestOf, keyLength, newKey, parseKey } from '../../../src/access/api-key.ts'

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

test('a key is prefix, id, secret and checksum in base62, and only its digest is left of it', () => {
  const { id, key, digest } = newKey()
  const text = key.reveal()
  expect(text).toMatch(/^lmx_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/)
  expect(text).toHaveLength(keyLength)
  expect(parseKey(text)).toEqual({ id })
  expect(text.slice(9, 17)).toBe(id)
  expect(digest).toMatch(/^[0-9a-f]{64}$/)
  expect(digest).toBe(digestOf(text))
})

test('the checksum is CRC-32 of what stands before it, in base62 padded with zeros', () => {
  const body = `lmx_live_00000000_${'0'.repeat(43)}`
  const accepted = (checksum: string) => parseKey(`${body}_${checksum}`) !== null
  // By the zlib of another language.
  let value = 3_399_131_850
  let checksum = ''
  for (let place = 0; place < 6; place++) {
    checksum = base62[value % 62] + checksum
    value = Math.floor(value / 62)
  }
  expect(accepted(checksum)).toBe(true)
  expect(accepted('000000')).toBe(false)
})

test('two keys share nothing, and a new secret for an id keeps the id', () => {
  const first = newKey()
  const second = newKey(first.id)
  expect(newKey().id).not.toBe(first.id)
  expect(second.id).toBe(first.id)
  expect(second.digest).not.toBe(first.digest)
  expect(parseKey(second.key.reveal())).toEqual({ id: first.id })
})

test('no single wrong character and no two that changed places pass the checksum', () => {
  const text = newKey().key.reveal()
  for (let at = 0; at < text.length; at++) {
    for (const other of `${base62}_-é`) {
      if (other !== text[at]) expect(parseKey(text.slice(0, at) + other + text.slice(at + 1))).toBeNull()
    }
    const swapped = text.slice(0, at) + (text[at + 1] ?? '') + text[at] + text.slice(at + 2)
    if (swapped !== text) expect(parseKey(swapped)).toBeNull()
  }
})

test('anything else is no key, whatever it is, and is never split', () => {
  const text = newKey().key.reveal()
  for (const bad of [
    '',
    'lmx_live_',
    ` ${text}`,
    `${text} `,
    `${text}\n`,
    text.slice(1),
    text.slice(0, -1),
    `${text}0`,
  ])
    expect(parseKey(bad)).toBeNull()
  expect(parseKey(text.toUpperCase())).toBeNull()
  expect(parseKey(text.replace('lmx_live_', 'lmx_test_'))).toBeNull()
  expect(parseKey('_'.repeat(keyLength))).toBeNull()
  const latin1 = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  fc.assert(fc.property(latin1, (any) => parseKey(any) === null))
  fc.assert(fc.property(fc.string({ maxLength: 60 }), (rest) => parseKey(`lmx_live_${rest}`) === null))
})
