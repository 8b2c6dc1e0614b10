/** Requests made at random around the schemas of the admin API: whatever comes, it is refused in the envelope of every error, or right. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { limitKinds } from '../../src/access/limits.ts'
import { adminRoutes } from '../../src/http/admin/routes.ts'
import { AdminDocument } from '../kit/admin-document.ts'
import { type AdminUnderTest, startAdmin } from '../kit/admin-under-test.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const numRuns = isLong ? 10_000 : 250
const timeout = isLong ? 300_000 : 30_000

let admin: AdminUnderTest
let document: AdminDocument

beforeAll(async () => {
  admin = await startAdmin()
  document = await AdminDocument.of(admin)
  await admin.ask('POST', '/admin/keys', { body: { name: 'there' } })
})
afterAll(() => admin[Symbol.asyncDispose]())

const fieldNames =
  'name team models class weight maxOutputTokens limits tags expiresAt graceMs endStreams role id secrets __proto__ constructor toString'.split(
    ' ',
  )
const goodValues = new Map<string, readonly unknown[]>(
  Object.entries({
    name: ['there', 'x', 'a b'],
    team: ['red', null],
    models: [['qwen*'], null],
    class: ['bulk'],
    weight: [1],
    limits: [{ requestsPerMinute: 5 }, {}],
    tags: [{ a: 'b' }],
    expiresAt: ['30d', null],
    graceMs: [0, 1_000],
    endStreams: [true, false],
  }),
)

/** Values of every kind, those at the edges of numbers and texts often. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(0, -1, 1.5, 1e308, -0, 2 ** 53, '', ' ', '\0', '\u202e', '1', 'null', '9'.repeat(400), '2027-13-01'),
  fc.array(fc.constantFrom('*', 'a*', '**', '', 'x'.repeat(300)), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom(...Object.keys(limitKinds), 'x', '__proto__'), fc.jsonValue({ maxDepth: 1 }), {
    maxKeys: 4,
  }),
)
const field = fc
  .constantFrom(...fieldNames)
  .chain((name) =>
    fc.oneof(anything, fc.constantFrom(...(goodValues.get(name) ?? [null]))).map((value) => [name, value] as const),
  )
/** As text, since `__proto__` would be no field of an object written here. */
const fieldsText = fc
  .uniqueArray(field, { selector: ([name]) => name, maxLength: 5 })
  .map((pairs) => `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`)
const bodyText = fc.oneof(
  { weight: 6, arbitrary: fieldsText },
  { weight: 2, arbitrary: anything.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
  { weight: 1, arbitrary: fc.constantFrom('['.repeat(30_000), '{"a":'.repeat(10_000), '{"name":"x","name":"y"}') },
)
const query = fc
  .array(
    fc.tuple(
      fc.constantFrom('name', 'state', 'by', 'from', 'to', 'key', 'team', 'model', 'host', 'format', 'count', 'x'),
      fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.constantFrom('live', 'key', 'key,day', ',', 'today', '99999d', '2026-02-30', '9'.repeat(60), 'csv', '%00'),
      ),
    ),
    { maxLength: 3 },
  )
  .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&'))

test('whatever is asked, the answer is one of the document, and no fault of the gateway', { timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...adminRoutes), query, bodyText, async (route, parameters, body) => {
      const path = `${route.path.replace(':id', 'there')}${parameters === '' ? '' : `?${parameters}`}`
      const reply = await admin.ask(route.method, path, route.body === null ? {} : { body })
      document.expectTold(route.method, path, reply)
      expect(reply.status, reply.text).toBeLessThan(500)
    }),
    { numRuns },
  )
  expect(admin.log.filter(({ level }) => level === 'error')).toEqual([])
})

test('a body with a field that no schema has makes and changes nothing', { timeout }, async () => {
  const changing = adminRoutes.filter(({ body }) => body !== null)
  const unknownField = fc
    .string({ minLength: 1, maxLength: 20 })
    .filter((name) => !fieldNames.includes(name) || ['role', 'id', 'secrets', '__proto__'].includes(name))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...changing), unknownField, anything, async (route, name, value) => {
      const before = [...admin.keys.records.values()]
      const body = `{"name":"made",${JSON.stringify(name)}:${JSON.stringify(value)}}`
      const { status } = await admin.ask(route.method, route.path.replace(':id', 'there'), { body })
      expect(status).toBe(400)
      expect([...admin.keys.records.values()]).toEqual(before)
    }),
    { numRuns: numRuns / 2 },
  )
})
