/** Which changes need a body, and what one has to be where it may be left out. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AdminUnderTest, startAdmin } from '../kit/admin-under-test.ts'

let admin: AdminUnderTest
beforeAll(async () => {
  admin = await startAdmin()
})
afterAll(() => admin[Symbol.asyncDispose]())

interface KeyJson {
  readonly id: string
  readonly key: string
}

async function created(name: string): Promise<KeyJson> {
  return (await admin.ask('POST', '/admin/keys', { body: { name } })).json as KeyJson
}

/** Of an operator, with these headers alone, so that a length is told only where they tell one. */
async function answered(call: string, headers: readonly string[] = [], body = '') {
  const client = await admin.connect()
  const lines = [`${call} HTTP/1.1`, 'host: 127.0.0.1', `authorization: Bearer ${admin.token}`, ...headers, '', body]
  await client.send(Buffer.from(lines.join('\r\n')))
  const answer = await client.response()
  await answer.over()
  return answer
}

/** As curl -X POST says nothing on the length, and other clients that it is none. */
test.each([[[]], [['content-length: 0']]])('rotating and revoking need no body: %j', async (headers) => {
  const { id, key } = await created(`bodiless ${headers.length}`)
  const rotated = await answered(`POST /admin/keys/${id}/rotate`, headers)
  expect(rotated.status).toBe(200)
  expect((JSON.parse(rotated.text) as KeyJson).key).not.toBe(key)
  const revoked = await answered(`POST /admin/keys/${id}/revoke`, headers)
  expect(revoked.status).toBe(200)
  expect(JSON.parse(revoked.text)).toMatchObject({ state: 'revoked', endsStreams: false })
})

test.each<[string, readonly string[], string]>([
  ['a type that is not JSON', ['content-type: text/plain'], ''],
  ['an empty type', ['content-type:'], ''],
  ['a packing', ['content-encoding: gzip'], ''],
  ['a body without a type', ['content-length: 2'], '{}'],
  ['a body of unknown length', ['transfer-encoding: chunked'], '0\r\n\r\n'],
  ['a form', ['content-type: application/x-www-form-urlencoded', 'content-length: 15'], 'endStreams=true'],
])('where one is sent it is still JSON: %s', async (what, headers, body) => {
  const { id } = await created(what)
  for (const change of ['rotate', 'revoke'])
    expect((await answered(`POST /admin/keys/${id}/${change}`, headers, body)).status).toBe(415)
  expect(admin.keys.records.get(id)).toMatchObject({ revision: 1, revokedAtMs: null })
})

test('what cannot be said without one still needs it', async () => {
  const { id } = await created('whole')
  for (const call of ['POST /admin/keys', `PATCH /admin/keys/${id}`]) expect((await answered(call)).status).toBe(415)
})
