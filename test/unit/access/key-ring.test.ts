import { timingSafeEqual } from 'node:crypto'
import { expect, test } from 'vitest'
import { newKey } from '../../../src/access/api-key.ts'
import { badKey, credentialOf } from '../../../src/access/credentials.ts'
import type { KeyRecord } from '../../../src/access/key-record.ts'
import { KeyRing } from '../../../src/access/key-ring.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { sampleKey } from './sample-key.ts'

const dayMs = 86_400_000

function ringOf(keys: readonly KeyRecord[], { allowAnonymous = false, keysEverCreated = true } = {}) {
  const clock = new FakeClock()
  const ended: Array<[string, boolean]> = []
  const compared: Array<readonly [Buffer, Buffer]> = []
  const ring = new KeyRing(
    { keys, keysEverCreated },
    {
      clock,
      allowAnonymous,
      onRevoked: ({ id, endsStreams }) => ended.push([id, endsStreams]),
      sameDigest(given, stored) {
        compared.push([given, stored])
        return timingSafeEqual(given, stored)
      },
    },
  )
  return { ring, clock, ended, compared }
}

const caught = (work: () => unknown): GatewayError => {
  try {
    work()
  } catch (error) {
    return error as GatewayError
  }
  throw new Error('nothing was thrown')
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

const nowMs = new FakeClock().wallMs()
const good = sampleKey()
const revoked = sampleKey({ revokedAtMs: nowMs - 1, secrets: [] })
const revokedWithSecrets = (() => {
  const { record, text } = sampleKey()
  return { record: { ...record, revokedAtMs: nowMs }, text }
})()
const expired = sampleKey({ expiresAtMs: nowMs })
const expiredSecret = (() => {
  const { record, text } = sampleKey()
  return { record: { ...record, secrets: record.secrets.map((one) => ({ ...one, expiresAtMs: nowMs })) }, text }
})()
const otherSecret = newKey(good.record.id).key.reveal()
const all = [good, revoked, revokedWithSecrets, expired, expiredSecret].map(({ record }) => record)

const wrong: ReadonlyArray<readonly [string, Record<string, string>]> = [
  ['a missing key', {}],
  ['an empty one', bearer('')],
  ['a malformed one', bearer('sk-1234')],
  ['one that is cut short', bearer(good.text.slice(0, -1))],
  ['one with a typing error', bearer(good.text.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')))],
  ['an unknown one', bearer(newKey().key.reveal())],
  ['one with another secret', bearer(otherSecret)],
  ['a revoked one', bearer(revoked.text)],
  ['a revoked one whose secrets are still there', bearer(revokedWithSecrets.text)],
  ['an expired one', bearer(expired.text)],
  ['one whose secret has expired', bearer(expiredSecret.text)],
  ['a good one in x-api-key, cut short', { 'x-api-key': good.text.slice(1) }],
  ['a good one under Basic', { authorization: `Basic ${good.text}` }],
  ['a good one without a scheme', { authorization: good.text }],
  ['a good one in api-key', { 'api-key': good.text }],
]

test.each(wrong)('X01: %s is answered like every other', (_what, headers) => {
  const { ring } = ringOf(all)
  const refusal = caught(() => ring.identify(credentialOf(headers)))
  const { code, message, detail, kind } = badKey()
  expect(refusal).toMatchObject({ code, message, kind })
  expect(refusal.detail).toEqual(detail)
})

test('X01: a malformed key is refused before anything is looked up or compared', () => {
  const { ring, compared } = ringOf(all)
  for (const [, { authorization = '' }] of wrong.slice(0, 5)) ring.resolve(authorization.replace('Bearer ', ''))
  expect(compared).toHaveLength(0)
  expect(ring.resolve(good.text)).toBe(good.record)
  expect(compared).toHaveLength(2)
})

test('X03: an unknown id, a wrong secret, a revoked key and a good one take the same way: two comparisons in constant time', () => {
  const { ring, compared } = ringOf(all)
  for (const text of [newKey().key.reveal(), otherSecret, revoked.text, expired.text, good.text]) {
    compared.length = 0
    ring.resolve(text)
    expect(compared).toHaveLength(2)
    for (const [given, stored] of compared) expect([given.length, stored.length]).toEqual([32, 32])
  }
})

const carriers: ReadonlyArray<readonly [string, (text: string) => Record<string, string>, 'key' | 'none' | 'foreign']> =
  [
    ['Authorization: Bearer', bearer, 'key'],
    ['x-api-key', (text) => ({ 'x-api-key': text }), 'key'],
    ['both', (text) => ({ ...bearer(text), 'x-api-key': text }), 'key'],
    ['Authorization: Basic', (text) => ({ authorization: `Basic ${text}` }), 'foreign'],
    ['Authorization: Token', (text) => ({ authorization: `Token ${text}` }), 'foreign'],
    ['Authorization alone', (text) => ({ authorization: text }), 'foreign'],
    ['api-key', (text) => ({ 'api-key': text }), 'none'],
    ['a subprotocol', (text) => ({ 'sec-websocket-protocol': `key.${text}` }), 'none'],
  ]

/** How far a request comes: as the key, without one, or not at all. */
type Outcome = 'key' | 'anonymous' | 401

const policies = [
  ['keys are asked for', {}],
  ['keys are there, anonymous clients allowed', { allowAnonymous: true }],
  ['no key was ever created', { keysEverCreated: false }],
] as const

function expectedOf(carrier: 'key' | 'none' | 'foreign', text: string, anonymous: boolean): Outcome {
  if (carrier === 'key' && text === good.text) return 'key'
  if (!anonymous) return 401
  return carrier === 'none' || !text.startsWith('lmx_live_') ? 'anonymous' : 401
}

const matrix = policies.flatMap(([policy, options]) =>
  carriers.flatMap(([name, carry, carrier]) =>
    (
      [
        ['a good key', good.text],
        ['a revoked key', revoked.text],
        ['a word of another service', 'sk-none'],
      ] as const
    ).map(([what, text]) => {
      const anonymous = 'allowAnonymous' in options || 'keysEverCreated' in options
      return [
        what,
        name,
        policy,
        { options, headers: carry(text), expected: expectedOf(carrier, text, anonymous) },
      ] as const
    }),
  ),
)

test.each(matrix)('X06: %s by %s, where %s', (_what, _carrier, _policy, { options, headers, expected }) => {
  const { ring } = ringOf(all, options)
  let outcome: Outcome
  try {
    const key = ring.identify(credentialOf(headers))
    outcome = key === null ? 'anonymous' : 'key'
    if (key !== null) expect(key).toBe(good.record)
  } catch (error) {
    outcome = (error as GatewayError).kind.status as 401
  }
  expect(outcome).toBe(expected)
})

test('anonymity ends with the first key that was ever created, for good', () => {
  const { ring } = ringOf([], { keysEverCreated: false })
  expect(ring.anonymous).toBe(true)
  ring.apply({ keys: [good.record], keysEverCreated: true })
  expect(ring.anonymous).toBe(false)
  ring.apply({ keys: [{ ...good.record, revokedAtMs: nowMs, secrets: [], revision: 2 }], keysEverCreated: true })
  expect(ring.anonymous).toBe(false)
  // What was read before it ended arrives late.
  ring.apply({ keys: [], keysEverCreated: false })
  expect(ring.anonymous).toBe(false)
})

test('a key and each of its secrets end at their time', () => {
  const old = newKey()
  const fresh = newKey(old.id)
  const secrets = [
    { digest: fresh.digest, expiresAtMs: null },
    { digest: old.digest, expiresAtMs: nowMs + dayMs },
  ]
  const { record } = sampleKey({ id: old.id, secrets, expiresAtMs: nowMs + 2 * dayMs })
  const { ring, clock } = ringOf([record])
  const open = () => [old, fresh].map(({ key }) => ring.resolve(key.reveal()) !== null)
  expect(open()).toEqual([true, true])
  clock.advanceSync(dayMs - 1)
  expect(open()).toEqual([true, true])
  clock.advanceSync(1)
  expect(open()).toEqual([false, true])
  clock.advanceSync(dayMs)
  expect(open()).toEqual([false, false])
})

test('a change holds from the next look-up on, and an older state that arrives late changes nothing', () => {
  const { ring } = ringOf([good.record])
  const gone = { ...good.record, revokedAtMs: nowMs, secrets: [], revision: 3 }
  ring.apply({ keys: [{ ...good.record, weight: 5, revision: 2 }], keysEverCreated: true })
  expect(ring.resolve(good.text)?.weight).toBe(5)
  ring.apply({ keys: [gone], keysEverCreated: true })
  expect(ring.resolve(good.text)).toBeNull()
  ring.apply({ keys: [{ ...good.record, revision: 2 }], keysEverCreated: true })
  expect(ring.resolve(good.text)).toBeNull()
  expect(ring.get(good.record.id)).toBe(gone)
})

test('that a key was revoked is told once, and once more when what runs under it is to end later', () => {
  const { ring, ended } = ringOf([good.record, expired.record])
  const quietly = { ...good.record, revokedAtMs: nowMs, secrets: [], revision: 2 }
  const withStreams = { ...quietly, endsStreams: true, revision: 3 }
  ring.apply({ keys: [quietly], keysEverCreated: true })
  ring.apply({ keys: [quietly], keysEverCreated: true })
  expect(ended).toEqual([[good.record.id, false]])
  ring.apply({ keys: [withStreams], keysEverCreated: true })
  ring.apply({ keys: [withStreams], keysEverCreated: true })
  expect(ended.slice(1)).toEqual([[good.record.id, true]])
  // Never seen before, and gone already: it was made and revoked between two looks.
  ring.apply({ keys: [{ ...revoked.record, endsStreams: true }], keysEverCreated: true })
  expect(ended.slice(2)).toEqual([[revoked.record.id, true]])
})

test.each(['', 'zz', 'é'.repeat(64), '00'.repeat(31)])(
  'a damaged digest (%s) opens nothing and breaks nothing',
  (digest) => {
    const { record, text } = sampleKey({ secrets: [{ digest, expiresAtMs: null }] })
    const { ring } = ringOf([record])
    expect(ring.resolve(text)).toBeNull()
  },
)
