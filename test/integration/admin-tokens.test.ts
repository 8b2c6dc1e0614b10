/** The admin token, and everything that is none: keys of clients, tokens of scrapers, guesses. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { newKey } from '../../src/access/api-key.ts'
import { KeyGuesses } from '../../src/access/key-guesses.ts'
import { adminRoutes } from '../../src/http/admin/routes.ts'
import { type AdminUnderTest, startAdmin } from '../kit/admin-under-test.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { startGateway } from '../kit/gateway-under-test.ts'

let admin: AdminUnderTest

beforeAll(async () => {
  admin = await startAdmin()
  await admin.ask('POST', '/admin/keys', { body: { name: 'there' } })
})
afterAll(() => admin[Symbol.asyncDispose]())

const errorOf = ({ text }: { text: string }) =>
  (JSON.parse(text) as { error: { code: string; param: string | null; message: string } }).error

const json = { 'content-type': 'application/json' }
const pathOf = (path: string) => path.replace(':id', 'there')

test('X14: the key of a client opens no route of the table, however it is carried', async () => {
  const key = newKey().key.reveal()
  for (const { method, path } of adminRoutes) {
    const body = method === 'GET' ? '' : '{}'
    const bearer = await admin.raw(method, pathOf(path), { ...json, authorization: `Bearer ${key}` }, body)
    expect([method, path, bearer.status, errorOf(bearer).code]).toEqual([method, path, 403, 'permission_denied'])
    const apiKey = await admin.raw(method, pathOf(path), { ...json, 'x-api-key': key }, body)
    expect([method, path, apiKey.status]).toEqual([method, path, 401])
    const both = await admin.raw(method, pathOf(path), { ...json, 'x-api-key': admin.token, authorization: key }, body)
    expect([method, path, both.status]).toEqual([method, path, 401])
  }
})

test('X15: where no admin token was ever made, every route is refused, and no token is the right one', async () => {
  await using bare = await startAdmin({ adminTokenDigest: () => null })
  const guesses = ['', 'admin', 'password', 'lmx_admin_', 'null', 'undefined', '0'.repeat(64), bare.token]
  for (const { method, path } of adminRoutes) {
    for (const token of guesses) {
      const { status } = await bare.ask(method, pathOf(path), { token, ...(method === 'GET' ? {} : { body: {} }) })
      expect([method, path, token, status]).toEqual([method, path, token, 401])
    }
  }
})

test('X15: a digest that is none lets nobody in', async () => {
  for (const digest of ['', 'zz', '00', '0'.repeat(64)]) {
    await using bare = await startAdmin({ adminTokenDigest: () => digest })
    for (const token of ['', 'x', digest, bare.token])
      expect((await bare.ask('GET', '/admin/keys', { token })).status).toBe(401)
  }
})

test('a token that is replaced is good from then on, and the old one is not', async () => {
  await using one = await startAdmin()
  await using other = await startAdmin()
  expect((await one.ask('GET', '/admin/teams')).status).toBe(200)
  one.keys.adminTokenDigest = other.keys.adminTokenDigest
  expect((await one.ask('GET', '/admin/teams')).status).toBe(401)
  expect((await one.ask('GET', '/admin/teams', { token: other.token })).status).toBe(200)
})

test('a missing token and every wrong one get one and the same answer', async () => {
  const said = new Set<string>()
  const wrong = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer x' },
    { authorization: `Basic ${admin.token}` },
    { authorization: admin.token },
    { authorization: `Bearer ${admin.token}x` },
    { authorization: `Bearer ${admin.token.slice(0, -1)}` },
    { authorization: `Bearer ${admin.token.toLowerCase()}` },
    { authorization: `Bearer ${admin.token} x` },
    { authorization: `Bearer,${admin.token}` },
    { 'x-api-key': admin.token },
    { cookie: `authorization=Bearer ${admin.token}` },
    { 'proxy-authorization': `Bearer ${admin.token}` },
  ]
  for (const headers of wrong) {
    const answer = await admin.raw('GET', '/admin/keys', headers)
    expect([headers, answer.status]).toEqual([headers, 401])
    said.add(answer.text)
    // What is not there cannot be told from what is.
    said.add((await admin.raw('GET', '/admin/nowhere', headers)).text)
    said.add((await admin.raw('DELETE', '/admin/keys', headers)).text)
  }
  expect([...said]).toHaveLength(1)
})

test('the scheme is read in any case, and a token in the URL counts for nothing', async () => {
  expect((await admin.raw('GET', '/admin/teams', { authorization: `bearer ${admin.token}` })).status).toBe(200)
  for (const name of ['token', 'access_token', 'authorization', 'admin_token'])
    expect([400, 401]).toContain((await admin.raw('GET', `/admin/teams?${name}=${admin.token}`)).status)
})

test('wrong tokens from one address are slowed down, and the right one is not', async () => {
  const clock = new FakeClock()
  await using slow = await startAdmin({ guesses: new KeyGuesses({ failedKeysPerMinute: 3, clock }) })
  const statuses: number[] = []
  for (let tries = 0; tries < 5; tries++)
    statuses.push((await slow.ask('GET', '/admin/keys', { token: 'wrong' })).status)
  expect(statuses).toEqual([401, 401, 401, 429, 429])
  const refused = await slow.ask('GET', '/admin/keys', { token: newKey().key.reveal() })
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('20')
  expect((await slow.ask('GET', '/admin/keys')).status).toBe(200)
  expect((await slow.ask('GET', '/admin/keys', { token: null })).status).toBe(401)
})

test('metrics need no token where the listener says so, and nothing else is open then', async () => {
  await using open = await startAdmin({ metricsOpen: true, metricsToken: null })
  expect((await open.ask('GET', '/metrics', { token: null })).status).toBe(200)
  expect((await open.ask('HEAD', '/metrics', { token: null })).status).toBe(200)
  expect((await open.ask('POST', '/metrics', { token: null, body: {} })).status).toBe(405)
  for (const path of ['/metrics/', '/metrics/x', '/', '/admin', '/admin/teams', '/healthz', '/v1/models'])
    expect([path, (await open.ask('GET', path, { token: null })).status]).toEqual([path, 401])
})

test('metrics without any token configured are for the operator only', async () => {
  await using closed = await startAdmin({ metricsOpen: false, metricsToken: null })
  for (const token of [null, '', 'null', 'undefined'])
    expect((await closed.ask('GET', '/metrics', { token })).status).toBe(401)
  expect((await closed.ask('GET', '/metrics')).status).toBe(200)
})

test('who is refused is in the log, without what was sent', async () => {
  await using watched = await startAdmin()
  const key = newKey().key.reveal()
  await watched.ask('GET', '/admin/keys', { token: key })
  await watched.ask('GET', `/admin/${key}`, { token: 'wrong' })
  await watched.ask('POST', '/admin/keys', { token: null, body: {}, headers: { origin: 'http://evil.test' } })
  const told = watched.log.map(({ level, message, fields }) => ({ level, message, ...fields }))
  expect(told).toEqual(
    [
      ['GET', 403, 'permission_denied'],
      ['GET', 401, 'invalid_api_key'],
      ['POST', 403, 'permission_denied'],
    ].map(([method, status, code]) => ({
      level: 'warn',
      message: 'admin request refused',
      address: '127.0.0.1',
      method,
      status,
      code,
    })),
  )
})

test('X15, X43: a gateway makes a token of its own at its first start, tells it once, and says in the trail that it did', async () => {
  const started = () => startGateway({ hosts: [{ url: 'http://127.0.0.1:9' }] })
  await using one = await started()
  await using other = await started()
  expect(one.adminToken).toMatch(/^lmx_admin_[0-9A-Za-z]{43}$/)
  expect(other.adminToken).not.toBe(one.adminToken)
  const { id } = await one.createKey({ name: 'first' })
  const { entries } = (await one.admin('GET', '/admin/audit')) as { entries: { action: string }[] }
  expect(entries).toMatchObject([
    { action: 'key.create', actor: 'admin-api 127.0.0.1', keyId: id, keyName: 'first' },
    { action: 'admin-token.create', actor: 'gateway', keyId: null, keyName: null },
  ])
  const stranger = await fetch(`${one.adminUrl}/admin/keys`, {
    headers: { authorization: `Bearer ${other.adminToken}` },
  })
  expect(stranger.status).toBe(401)
  expect(JSON.stringify(one.log)).not.toContain(one.adminToken)
  expect(one.log.filter(({ message }) => message === 'admin change')).toMatchObject([
    { level: 'info', fields: { action: 'admin-token.create', actor: 'gateway' } },
    { level: 'info', fields: { action: 'key.create', keyId: id, keyName: 'first' } },
  ])
})
