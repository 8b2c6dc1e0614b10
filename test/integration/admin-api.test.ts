/** The admin API over a real socket: each route does what it says, and answers as the document of the API says. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestOf, parseKey } from '../../src/access/api-key.ts'
import { systemClock } from '../../src/base/clock.ts'
import { GatewayError } from '../../src/base/errors.ts'
import { StoreError } from '../../src/base/store-error.ts'
import { RemoteAccess } from '../../src/cli/remote-access.ts'
import { decisionRoutes } from '../../src/http/admin/decision-routes.ts'
import { fleetRoutes } from '../../src/http/admin/fleet-routes.ts'
import { hostRoutes } from '../../src/http/admin/host-routes.ts'
import { lineRoutes } from '../../src/http/admin/line-routes.ts'
import { replicaRoutes } from '../../src/http/admin/replica-routes.ts'
import { requestRoutes } from '../../src/http/admin/request-routes.ts'
import { adminRoutes } from '../../src/http/admin/routes.ts'
import { TooManyUsageRows, type UsageSum } from '../../src/metering/ledger-store.ts'
import { AdminDocument } from '../kit/admin-document.ts'
import { type AdminCall, type AdminReply, type AdminUnderTest, startAdmin } from '../kit/admin-under-test.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { startGateway } from '../kit/gateway-under-test.ts'
import { MemoryKeys } from '../kit/memory-keys.ts'
import { sampleKey } from '../unit/access/sample-key.ts'

const sum: UsageSum = {
  group: { key: '=alice, "a"' },
  requests: 3,
  failed: 1,
  unfinished: 1,
  input: 100,
  cachedInput: 40,
  output: 50,
  reasoning: 5,
  inputUnreported: 0,
  outputUnreported: 7,
  costNanos: 1_500_000_000,
}

/** The wall stands at 2026-01-01. */
const clock = new FakeClock()
let admin: AdminUnderTest
let document: AdminDocument

beforeAll(async () => {
  admin = await startAdmin({ clock, sums: [sum] })
  document = await AdminDocument.of(admin)
})
afterAll(() => admin[Symbol.asyncDispose]())

/** Every answer here is held against the document. */
async function ask(method: string, path: string, call?: AdminCall, of: AdminUnderTest = admin): Promise<AdminReply> {
  const reply = await of.ask(method, path, call)
  document.expectTold(method, path, reply)
  return reply
}

interface KeyJson {
  readonly id: string
  readonly key: string
  readonly secrets: readonly { expiresAt: string | null }[]
}

async function created(name: string, more: object = {}): Promise<KeyJson> {
  const { status, json } = await ask('POST', '/admin/keys', { body: { name, ...more } })
  expect(status).toBe(201)
  return json as KeyJson
}

const errorOf = ({ json }: AdminReply) => (json as { error: { code: string; param: string | null } }).error

test('a key is made with all that can be said of it, shown once, and found by id and by name', async () => {
  const wanted = {
    name: 'Alice',
    team: 'red',
    models: ['qwen*', 'llama'],
    class: 'interactive',
    weight: 2.5,
    maxOutputTokens: 2_000,
    limits: { requestsPerMinute: 60, tokensPerDay: 1_000_000 },
    tags: { cost: 'lab 7' },
    expiresAt: '30d',
  }
  const { status, json, headers } = await ask('POST', '/admin/keys', { body: wanted })
  expect(status).toBe(201)
  const { key, isFirst, ...view } = json as KeyJson & { isFirst: boolean }
  expect(isFirst).toBe(true)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(view).toMatchObject({ ...wanted, expiresAt: '2026-01-31T00:00:00.000Z', state: 'live', revokedAt: null })
  expect(admin.keys.records.get(view.id)?.secrets.map(({ digest }) => digest)).toEqual([digestOf(key)])
  expect(parseKey(key)?.id).toBe(view.id)
  for (const path of [`/admin/keys/${view.id}`, '/admin/keys/Alice']) {
    const found = await ask('GET', path)
    expect(found.json).toEqual(view)
    expect(found.text).not.toContain(key)
  }
})

test('keys are listed in order of creation, and picked by state and name', async () => {
  const old = await created('twice')
  await ask('POST', `/admin/keys/${old.id}/revoke`, { body: {} })
  const young = await created('twice')
  const ids = async (query: string) =>
    ((await ask('GET', `/admin/keys${query}`)).json as { keys: KeyJson[] }).keys.map(({ id }) => id)
  expect((await ids('')).slice(-2)).toEqual([old.id, young.id])
  expect(await ids('?name=twice')).toEqual([old.id, young.id])
  expect(await ids('?name=twice&state=live')).toEqual([young.id])
  expect(await ids('?state=revoked')).toEqual([old.id])
  expect(await ids('?name=nobody')).toEqual([])
  for (const query of ['', 'state=live', 'name=twice']) {
    const all = await ids(`?${query}`)
    const paged: string[] = []
    let next: string | null = null
    do {
      const page = await ask('GET', `/admin/keys?${query}&count=1${next === null ? '' : `&after=${next}`}`)
      const { keys, next: more } = page.json as { keys: KeyJson[]; next: string | null }
      expect(keys).toHaveLength(1)
      paged.push(...keys.map(({ id }) => id))
      next = more
    } while (next !== null && paged.length <= all.length)
    expect(paged).toEqual(all)
  }
  expect(errorOf(await ask('GET', '/admin/keys?after=nobody'))).toMatchObject({ param: 'after' })
})

test('of more keys than a page holds the command line gets all, in order', async () => {
  const many = new MemoryKeys()
  await using crowded = await startAdmin({ keys: many })
  for (let index = 0; index < 2_500; index += 1) {
    const { record } = sampleKey({ name: `key ${index}` })
    many.records.set(record.id, record)
  }
  const listed = await new RemoteAccess(crowded.url, crowded.token, systemClock).list()
  expect(listed.map(({ id }) => id)).toEqual([...many.records.keys()])
  expect(((await crowded.ask('GET', '/admin/keys')).json as { keys: object[] }).keys).toHaveLength(1_000)
})

test('a key is changed field by field; null takes a limit away', async () => {
  const { id } = await created('changed', { limits: { requestsPerMinute: 5, concurrentRequests: 2 }, team: 'red' })
  const change = { limits: { requestsPerMinute: null, tokensPerMinute: 100 }, team: null, class: 'bulk' }
  const { json } = await ask('PATCH', `/admin/keys/${id}`, { body: change })
  expect(json).toMatchObject({ name: 'changed', team: null, class: 'bulk', revision: 2 })
  expect((json as { limits: object }).limits).toEqual({ concurrentRequests: 2, tokensPerMinute: 100 })
})

test('a change of limits alone is stored', async () => {
  const { id } = await created('limits alone')
  const { json } = await ask('PATCH', `/admin/keys/${id}`, { body: { limits: { requestsPerDay: 9 } } })
  expect(json).toMatchObject({ limits: { requestsPerDay: 9 }, revision: 2 })
})

test('a rotated key has a new secret, and the old one holds for the time that is asked for', async () => {
  const { id, key } = await created('rotated')
  const next = (await ask('POST', `/admin/keys/${id}/rotate`, { body: { graceMs: 60_000 } })).json as KeyJson
  expect(next.key).not.toBe(key)
  expect(next.secrets).toEqual([{ expiresAt: null }, { expiresAt: new Date(clock.wallMs() + 60_000).toISOString() }])
  const atOnce = (await ask('POST', `/admin/keys/${id}/rotate`, { body: { graceMs: 0 } })).json as KeyJson
  expect(atOnce.secrets).toEqual([{ expiresAt: null }])
  const byDefault = (await ask('POST', `/admin/keys/${id}/rotate`, { body: {} })).json as KeyJson
  expect(byDefault.secrets[1]).toEqual({ expiresAt: new Date(clock.wallMs() + 86_400_000).toISOString() })
})

test('an empty body is an empty object', async () => {
  const { id } = await created('empty')
  expect((await ask('POST', `/admin/keys/${id}/rotate`, { body: '' })).status).toBe(200)
})

test('a revoked key stays so, and what runs under it may still be told to end', async () => {
  const { id } = await created('revoked')
  const { json } = await ask('POST', `/admin/keys/${id}/revoke`, { body: {} })
  expect(json).toMatchObject({ state: 'revoked', endsStreams: false, secrets: [] })
  const again = await ask('POST', `/admin/keys/${id}/revoke`, { body: { endStreams: true } })
  expect(again.json).toMatchObject({ endsStreams: true })
  for (const [method, path] of [
    ['PATCH', `/admin/keys/${id}`],
    ['POST', `/admin/keys/${id}/rotate`],
    ['POST', `/admin/keys/${id}/revoke`],
  ] as const) {
    const { status, json: error } = await ask(method, path, { body: {} })
    expect([status, error]).toMatchObject([409, { error: { code: 'conflict' } }])
  }
})

test('a name that is taken is a conflict', async () => {
  await created('taken')
  expect(errorOf(await ask('POST', '/admin/keys', { body: { name: 'taken' } }))).toMatchObject({ code: 'conflict' })
})

test.each(adminRoutes.filter(({ path }) => path.includes(':id')))(
  '$operation: a key that is not there is 404',
  async ({ method, path, body }) => {
    const reply = await ask(method, path.replace(':id', 'nobody'), body === null ? {} : { body: {} })
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
  },
)

test('teams are those of the configuration', async () => {
  expect((await ask('GET', '/admin/teams')).json).toEqual({
    teams: [
      { name: 'red', limits: { tokensPerMinute: 10_000 } },
      { name: 'blue', limits: {} },
    ],
  })
})

test('what a key has left is told', async () => {
  const { id } = await created('limited', { team: 'red' })
  expect((await ask('GET', '/admin/limits/limited')).json).toEqual({
    id,
    name: 'limited',
    team: 'red',
    limits: [{ limit: 'tokensPerMinute', of: 'team', maximum: 10_000, remaining: 9_000, resetMs: 6_000 }],
  })
})

test('usage is asked of the ledger as the parameters say, and summed up', async () => {
  const path = '/admin/usage?by=key,day&from=2025-12-01&to=2025-12-31&key=k&team=t&model=a/b&host=h'
  const { json } = await ask('GET', path)
  expect(admin.asked.at(-1)).toEqual({
    rowsMax: 10_000,
    by: ['key', 'day'],
    fromMs: Date.UTC(2025, 11, 1),
    toMs: Date.UTC(2026, 0, 1),
    key: 'k',
    team: 't',
    model: 'a/b',
    host: 'h',
    timeZone: 'UTC',
  })
  const { group, costNanos: _inCurrency, ...figures } = sum
  expect(json).toMatchObject({ currency: 'USD', total: { ...figures, cost: 1.5 } })
  expect((json as { rows: object[] }).rows).toEqual([{ ...group, keyId: null, day: null, ...figures, cost: 1.5 }])
})

test('usage of this month by key is what is told unasked', async () => {
  await ask('GET', '/admin/usage')
  expect(admin.asked.at(-1)).toMatchObject({ by: ['key'], fromMs: Date.UTC(2026, 0, 1), toMs: null, key: null })
  await ask('GET', '/admin/usage?by=')
  expect(admin.asked.at(-1)).toMatchObject({ by: [] })
})

test('a report of more rows than are told at once is refused, and says what to do', async () => {
  const ledger = { usage: () => Promise.reject(new TooManyUsageRows('there are more')) }
  await using other = await startAdmin({ ledger })
  const { status, json } = await ask('GET', '/admin/usage?by=key,day', {}, other)
  expect(status).toBe(400)
  expect(json).toMatchObject({
    error: { code: 'invalid_request', param: 'by', message: expect.stringMatching(/narrow from and to/) as unknown },
  })
})

test('usage as CSV opens in a spreadsheet as text', async () => {
  const { text, headers } = await ask('GET', '/admin/usage?format=csv')
  expect(headers.get('content-type')).toBe('text/csv; charset=utf-8')
  const [head, row] = text.split('\r\n')
  expect(head).toMatch(/^key,keyId,requests,/)
  expect(row).toMatch(/^"'=alice, ""a""",,3,1,1,100,/)
})

test('metrics are told to the scraper and to the operator', async () => {
  for (const token of ['a-token-for-the-scraper', admin.token]) {
    const { status, text, headers } = await ask('GET', '/metrics?name=x', { token })
    expect(status).toBe(200)
    expect(text).toContain('lmx_gateway_')
    expect(headers.get('content-type')).toContain('text/plain')
  }
  expect((await ask('GET', '/admin/keys', { token: 'a-token-for-the-scraper' })).status).toBe(401)
})

test('X43: each change has who, what and when in the trail and one line in the log, with the key by id and name only', async () => {
  const before = admin.log.length
  const { id, key } = await created('audited', { tags: { note: 'word-of-the-operator' } })
  const rotated = (await ask('POST', `/admin/keys/${id}/rotate`, { body: {} })).json as KeyJson
  await ask('PATCH', '/admin/keys/audited', { body: { weight: 3 } })
  await ask('PATCH', '/admin/keys/audited', { body: { weight: 3 } })
  await ask('POST', `/admin/keys/${id}/revoke`, { body: { endStreams: true } })
  await ask('POST', '/admin/keys', { body: { name: 'refused', role: 'admin' } })
  const { json, text } = await ask('GET', '/admin/audit?count=4')
  const at = new Date(clock.wallMs()).toISOString()
  const who = { at, actor: 'admin-api 127.0.0.1', keyId: id, keyName: 'audited' }
  expect((json as { entries: object[] }).entries).toMatchObject([
    { ...who, action: 'key.revoke', detail: { endStreams: true } },
    { ...who, action: 'key.change', detail: { weight: 3 } },
    { ...who, action: 'key.rotate' },
    { ...who, action: 'key.create' },
  ])
  const lines = admin.log.slice(before).filter(({ message }) => message === 'admin change')
  expect(lines.map(({ level, fields }) => ({ level, ...fields }))).toEqual(
    ['key.create', 'key.rotate', 'key.change', 'key.revoke'].map((action) => ({
      level: 'info',
      action,
      actor: 'admin-api 127.0.0.1',
      keyId: id,
      keyName: 'audited',
    })),
  )
  const written = text + JSON.stringify(admin.log)
  for (const secret of [key, rotated.key, key.slice(18, 60), digestOf(key), admin.token, 'word-of-the-operator'])
    expect(written).not.toContain(secret)
})

test('the trail has as many entries as are asked for', async () => {
  for (const name of ['a1', 'a2', 'a3']) await created(name)
  const entries = async (query: string) =>
    ((await ask('GET', `/admin/audit${query}`)).json as { entries: object[] }).entries.length
  expect(await entries('?count=2')).toBe(2)
  expect(await entries('')).toBe(Math.min(100, admin.keys.trail.length))
  for (const count of ['0', '1001', '-1', '1.5', '1e3', 'x', '']) {
    expect(errorOf(await ask('GET', `/admin/audit?count=${count}`))).toMatchObject({ param: 'count' })
  }
})

test('the document is served, and an answer that it does not tell of is found', async () => {
  const served = await ask('GET', '/admin/openapi.json')
  expect(served.json).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } })
  const teamsReply = await ask('GET', '/admin/teams')
  const tell = (reply: Partial<AdminReply>) => () =>
    document.expectTold('GET', '/admin/teams', { ...teamsReply, ...reply })
  expect(tell({})).not.toThrow()
  expect(tell({ status: 418 })).toThrow('no such status')
  expect(tell({ json: { teams: [], more: 1 } })).toThrow('to deeply equal []')
  expect(tell({ headers: new Headers({ 'content-type': 'text/html' }) })).toThrow('text/html')
})

test('HEAD is answered as GET, without a body', async () => {
  const head = await admin.ask('HEAD', '/admin/teams')
  expect(head.status).toBe(200)
  expect(head.text).toBe('')
})

/** Those of what waits and runs need a fleet, and have their tests with one. */
const ofTraffic = [lineRoutes, fleetRoutes, hostRoutes, requestRoutes, decisionRoutes, replicaRoutes].flat()
const recordRoutes = adminRoutes.filter((route) => !ofTraffic.includes(route))

/** A store that has just broken. */
class BrokenKeys extends MemoryKeys {
  readonly failure: Error

  constructor(failure: Error) {
    super()
    this.failure = failure
  }

  override insert(): Promise<never> {
    return Promise.reject(this.failure)
  }
  override find(): Promise<never> {
    return Promise.reject(this.failure)
  }
  override list(): Promise<never> {
    return Promise.reject(this.failure)
  }
  override audit(): Promise<never> {
    return Promise.reject(this.failure)
  }
}

test.each([
  [new StoreError('disk-of-the-operator is full'), 503, 'store_unavailable'],
  [new TypeError('a fault of ours'), 500, 'internal_error'],
])('%s is told in the log, and to the caller only that it is so', async (failure, status, code) => {
  const fail = () => Promise.reject(failure)
  await using broken = await startAdmin({ keys: new BrokenKeys(failure), ledger: { usage: fail } })
  for (const route of recordRoutes) {
    if (['readMetrics', 'listKeys', 'listTeams', 'readDocument'].includes(route.operation)) continue
    const call = route.body === null ? {} : { body: route.operation === 'createKey' ? { name: 'x' } : {} }
    const reply = await ask(route.method, route.path.replace(':id', 'x'), call, broken)
    expect([route.operation, reply.status, errorOf(reply).code]).toEqual([route.operation, status, code])
    expect(reply.text).not.toContain(failure.message)
  }
  const told = broken.log.filter(({ level }) => level === 'error')
  expect(JSON.stringify(told[0]?.fields)).toContain(failure.message)
})

test('metrics that are off are not there, and why is said', async () => {
  await using off = await startAdmin({ metrics: null })
  const reply = await ask('GET', '/metrics', {}, off)
  expect([reply.status, errorOf(reply).code]).toEqual([404, 'not_found'])
  expect(reply.text).toContain('Metrics are off: metrics.enabled is false.')
})

test('every route was seen to answer well, and to refuse what it says it may', () => {
  const missing = recordRoutes.flatMap(({ operation, status, refusals = [] }) =>
    [status, ...refusals.map((code) => new GatewayError(code, '').kind.status)]
      .map((one) => `${operation} ${one}`)
      .filter((one) => !document.seen.has(one)),
  )
  expect(missing).toEqual([])
})

test('a whole gateway says what a key has left of its own limits, and what it used', async () => {
  await using gateway = await startGateway({ hosts: [{ url: 'http://127.0.0.1:9' }] })
  await gateway.createKey({ name: 'limited', limits: { requestsPerMinute: 60, concurrentRequests: 2 } })
  expect(await gateway.admin('GET', '/admin/limits/limited')).toMatchObject({
    name: 'limited',
    limits: [
      { limit: 'requestsPerMinute', of: 'key', maximum: 60 },
      { limit: 'concurrentRequests', remaining: 2 },
    ],
  })
  expect(await gateway.admin('GET', '/admin/usage')).toMatchObject({ by: ['key'], total: { requests: 0 } })
})
