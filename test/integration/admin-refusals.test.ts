/** What the admin listener refuses, with what, and in which order; and what no operator can say either. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newKey } from '../../src/access/api-key.ts'
import { type AdminReply, type AdminUnderTest, startAdmin } from '../kit/admin-under-test.ts'
import { type Headers as HeaderFields, requestBytes } from '../kit/http-bytes.ts'

let admin: AdminUnderTest

beforeAll(async () => {
  admin = await startAdmin()
  await admin.ask('POST', '/admin/keys', { body: { name: 'there' } })
})
afterAll(() => admin[Symbol.asyncDispose]())

const errorOf = ({ text }: { text: string }) =>
  (JSON.parse(text) as { error: { code: string; param: string | null; message: string } }).error

const json = { 'content-type': 'application/json' }
const asOperator = () => ({ ...json, authorization: `Bearer ${admin.token}` })

describe('each check comes before the next one', () => {
  const wrong = { host: 'evil.test', origin: 'null', 'content-type': 'x' }
  test.each([
    [421, wrong],
    [403, { ...wrong, host: 'localhost' }],
    [401, { 'content-type': 'x' }],
  ])('%i', async (status, headers) => {
    for (const path of ['/nowhere?x=1', '/admin/keys?x=1', '/metrics'])
      expect((await admin.raw('POST', path, headers, '{')).status).toBe(status)
  })

  interface Asked {
    readonly what: string
    readonly status: number
    readonly call: string
    readonly headers?: HeaderFields
    readonly body?: string
    readonly param?: string
  }
  const doubled = [
    ['{"name":"twice-a","name":"twice-b"}', 'name'],
    ['{"name":"twice-a","n\\u0061me":"twice-a"}', 'name'],
    ['{"name":"twice-a","limits":{"requestsPerMinute":1,"requestsPerMinute":9}}', 'limits.requestsPerMinute'],
    ['{"name":"twice-a","tags":{"a":"b","c":"d","a":"e"}}', 'tags.a'],
    ['{"name":"twice-a","models":["{\\"",[{"b":1,"b":2}]]}', 'models.b'],
    [`{"name":"twice-a","${'n'.repeat(80)}":1,"${'n'.repeat(80)}":1}`, `${'n'.repeat(64)}…`],
  ] as const
  const asked: Asked[] = [
    {
      what: 'a path that is nowhere',
      status: 404,
      call: 'POST /nowhere?x=1',
      headers: { 'content-type': 'x' },
      body: '{',
    },
    {
      what: 'a method that is not taken',
      status: 405,
      call: 'PUT /admin/keys?x=1',
      headers: { 'content-type': 'x' },
      body: '{',
    },
    {
      what: 'no JSON by its type',
      status: 415,
      call: 'POST /admin/keys',
      headers: { 'content-type': 'text/plain' },
      body: '{"name":"x"}',
    },
    {
      what: 'a form',
      status: 415,
      call: 'POST /admin/keys',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'name=x',
    },
    {
      what: 'JSON of another kind',
      status: 415,
      call: 'POST /admin/keys',
      headers: { 'content-type': 'application/json-patch+json' },
      body: '{}',
    },
    {
      what: 'a body that is packed',
      status: 415,
      call: 'POST /admin/keys',
      headers: { ...json, 'content-encoding': 'gzip' },
      body: '{}',
    },
    { what: 'a body too large', status: 413, call: 'POST /admin/keys', headers: json, body: `"${'x'.repeat(65_536)}"` },
    {
      what: 'a large body where none belongs',
      status: 413,
      call: 'GET /admin/keys',
      headers: { ...json, 'content-length': '65537' },
    },
    { what: 'no JSON', status: 400, call: 'POST /admin/keys', headers: json, body: '{"name":' },
    { what: 'text that is no UTF-8', status: 400, call: 'POST /admin/keys', headers: json, body: '{"name":"\xFF"}' },
    ...doubled.map(([body, param]) => ({
      what: `twice one field, ${body}`,
      status: 400,
      call: 'POST /admin/keys',
      headers: json,
      body,
      param,
    })),
    { what: 'a list', status: 400, call: 'POST /admin/keys', headers: json, body: '[]' },
    { what: 'nothing', status: 400, call: 'POST /admin/keys', headers: json, body: 'null' },
    {
      what: 'an unknown parameter',
      status: 400,
      call: 'POST /admin/keys?x=1',
      headers: json,
      body: '{"name":"x"}',
      param: 'x',
    },
    { what: 'an unknown parameter of a list', status: 400, call: 'GET /admin/keys?x=1', param: 'x' },
    { what: 'a parameter twice', status: 400, call: 'GET /admin/keys?name=a&name=b', param: 'name' },
    { what: 'a state that is none', status: 400, call: 'GET /admin/keys?state=dead', param: 'state' },
    { what: 'columns that are none', status: 400, call: 'GET /admin/usage?by=key,prompt', param: 'by' },
    { what: 'a column twice', status: 400, call: 'GET /admin/usage?by=key,key', param: 'by' },
    { what: 'a day that is none', status: 400, call: 'GET /admin/usage?from=2026-02-30', param: 'from' },
    {
      what: 'an end before its beginning',
      status: 400,
      call: 'GET /admin/usage?from=2026-02-02&to=2026-02-01',
      param: 'to',
    },
    { what: 'a form that is none', status: 400, call: 'GET /admin/usage?format=xml', param: 'format' },
  ]
  test.each(asked)('$what: $status', async ({ status, call, headers = {}, body = '', param = null }) => {
    const [method = '', path = ''] = call.split(' ')
    const answer = await admin.raw(method, path, { ...asOperator(), ...headers }, Buffer.from(body, 'latin1'))
    expect([answer.status, errorOf(answer).param]).toEqual([status, param])
  })
})

test('X13: whatever else is written into a key is refused by name, and nothing is made', async () => {
  const before = admin.keys.records.size
  const wrong: [unknown, string][] = [
    [{ role: 'admin' }, 'role'],
    [{ admin: true }, 'admin'],
    [{ user_role: 'proxy_admin' }, 'user_role'],
    [{ allowed_routes: ['/admin'] }, 'allowed_routes'],
    [{ permissions: {} }, 'permissions'],
    [{ limits: null }, 'limits'],
    [{ limits: { requestsPerMinute: null } }, 'limits.requestsPerMinute'],
    [{ limits: { requestsPerSecond: 1 } }, 'limits.requestsPerSecond'],
    [{ limits: { requestsPerMinute: 0 } }, 'limits.requestsPerMinute'],
    [{ limits: { requestsPerMinute: -1 } }, 'limits.requestsPerMinute'],
    [{ limits: { requestsPerMinute: '60' } }, 'limits.requestsPerMinute'],
    [{ limits: [] }, 'limits'],
    [{ id: 'aaaaaaaa' }, 'id'],
    [{ secrets: [] }, 'secrets'],
    [{ key: 'x' }, 'key'],
    [{ createdAt: '2020-01-01T00:00:00Z' }, 'createdAt'],
    [{ createdAtMs: 0 }, 'createdAtMs'],
    [{ revokedAt: null }, 'revokedAt'],
    [{ revision: 0 }, 'revision'],
    [{ state: 'live' }, 'state'],
    [{ endsStreams: true }, 'endsStreams'],
    [{ weight: 1e9 }, 'weight'],
    [{ class: 'realtime' }, 'class'],
    [{ team: 'nobody' }, 'team'],
    [{ constructor: {} }, 'constructor'],
    [{ tags: { a: { b: 1 } } }, 'tags.a'],
  ]
  for (const [fields, param] of wrong) {
    const { status, text } = await admin.ask('POST', '/admin/keys', { body: { name: 'massed', ...(fields as object) } })
    expect([fields, status, errorOf({ text }).param]).toEqual([fields, 400, param])
  }
  const proto = await admin.ask('POST', '/admin/keys', { body: '{"name":"massed","__proto__":{"role":"admin"}}' })
  expect([proto.status, errorOf(proto).param]).toEqual([400, '__proto__'])
  expect(admin.keys.records.size).toBe(before)
})

test('X13: nor into a change, a rotation or a revocation', async () => {
  const key = structuredClone([...admin.keys.records.values()])
  const wrong: [string, string, object, string][] = [
    ['PATCH', '', { role: 'admin' }, 'role'],
    ['PATCH', '', { limits: null }, 'limits'],
    ['PATCH', '', { secrets: [{ digest: 'x', expiresAtMs: null }] }, 'secrets'],
    ['PATCH', '', { revokedAt: null }, 'revokedAt'],
    ['PATCH', '', { createdAtMs: 1 }, 'createdAtMs'],
    ['POST', '/rotate', { graceMs: 0, key: 'x' }, 'key'],
    ['POST', '/rotate', { graceMs: -1 }, 'graceMs'],
    ['POST', '/rotate', { graceMs: 1e15 }, 'graceMs'],
    ['POST', '/rotate', { graceMs: null }, 'graceMs'],
    ['POST', '/revoke', { endStreams: 'yes' }, 'endStreams'],
    ['POST', '/revoke', { all: true }, 'all'],
  ]
  for (const [method, path, body, param] of wrong) {
    const { status, text } = await admin.ask(method, `/admin/keys/there${path}`, { body })
    expect([path, body, status, errorOf({ text }).param]).toEqual([path, body, 400, param])
  }
  expect([...admin.keys.records.values()]).toEqual(key)
})

test('every answer is for nobody to keep, to frame or to take for something else, and no page of another origin may read it', async () => {
  const preflight = { origin: 'http://evil.test', 'access-control-request-method': 'POST' }
  const ownPage = { origin: `http://127.0.0.1:${admin.port}`, host: `127.0.0.1:${admin.port}` }
  const answers = [
    await admin.raw('GET', '/admin/keys', asOperator()),
    await admin.raw('GET', '/admin/keys', { ...asOperator(), ...ownPage }),
    await admin.raw('GET', '/metrics', asOperator()),
    await admin.raw('GET', '/admin/usage?format=csv', asOperator()),
    await admin.raw('GET', '/nowhere', asOperator()),
    await admin.raw('PUT', '/admin/keys', asOperator()),
    await admin.raw('POST', '/admin/keys', { authorization: `Bearer ${admin.token}` }, '{}'),
    await admin.raw('GET', '/admin/keys'),
    await admin.raw('GET', '/admin/keys', { host: 'evil.test' }),
    await admin.raw('GET', '/admin/%6beys'),
    await admin.raw('GET', '/admin/keys', { expect: 'x' }),
    await admin.raw('OPTIONS', '/admin/keys', preflight),
    await admin.raw('OPTIONS', '/admin/keys', { ...asOperator(), ...ownPage }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 404, 405, 415, 401, 421, 404, 417, 403, 405])
  for (const answer of answers) {
    expect(answer.header('cache-control')).toBe('no-store')
    expect(answer.header('x-content-type-options')).toBe('nosniff')
    expect(answer.header('referrer-policy')).toBe('no-referrer')
    expect(answer.header('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.filter(([name]) => /^(access-control-|vary|set-cookie)/i.test(name))).toEqual([])
  }
})

test('a refusal leaves the connection to the next request, where no body is still to come', async () => {
  const client = await admin.connect()
  for (const [headers, status] of [
    [{}, 401],
    [{ host: 'evil.test' }, 421],
    [asOperator(), 200],
  ] as const) {
    await client.send(requestBytes('GET', '/admin/teams', headers))
    const answer = await client.response()
    await answer.over()
    expect(answer.status).toBe(status)
  }
})

test('a body that nobody may send is not waited for', async () => {
  const client = await admin.connect()
  await client.send(requestBytes('POST', '/admin/keys', { ...json, 'content-length': '60000' }, '{'))
  const answer = await client.response()
  expect(answer.status).toBe(401)
  expect(await client.closed()).toBe('fin')
})

test('no error repeats a key or a token that was sent in the wrong place', async () => {
  const key = newKey().key.reveal()
  const wrong: AdminReply[] = [
    await admin.ask('GET', `/admin/keys/${key}`),
    await admin.ask('GET', `/admin/${admin.token}`),
    await admin.ask('GET', `/admin/keys?${key}=1`),
    await admin.ask('GET', `/admin/keys?state=${key}`),
    await admin.ask('GET', `/admin/usage?by=${key}`),
    await admin.ask('GET', `/admin/usage?from=${key}`),
    await admin.ask('POST', '/admin/keys', { body: { name: key } }),
    await admin.ask('POST', '/admin/keys', { body: { name: 'x', [key]: 1 } }),
    await admin.ask('POST', '/admin/keys', { body: { name: 'x', team: key } }),
    await admin.ask('POST', '/admin/keys', { body: { name: 'x', class: key } }),
    await admin.ask('PATCH', '/admin/keys/there', { body: { tags: { [key]: 'x' } } }),
  ]
  for (const { status, text } of wrong) {
    expect(status).toBeGreaterThanOrEqual(400)
    expect(text).not.toContain(key.slice(9, 50))
    expect(text).not.toContain(admin.token)
  }
  expect(JSON.stringify(admin.log)).not.toContain(key.slice(18, 50))
})
