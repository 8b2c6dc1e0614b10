/**
 * Who may do what on which route: the routes as the routers themselves have them, each asked by everybody there is. A
 * route that is new has no row here, and that fails.
 */

import { setTimeout as pause } from 'node:timers/promises'
import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newKey } from '../../src/access/api-key.ts'
import { adminApp } from '../../src/http/admin/admin-app.ts'
import type { AdminParts } from '../../src/http/admin/admin-parts.ts'
import { operatorApp } from '../../src/http/admin/operator-app.ts'
import { type DataParts, dataApp } from '../../src/http/app.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'

/** Who may use a route. */
type Role = 'anybody' | 'key' | 'operator'

const roles: Readonly<Record<'data' | 'admin', Readonly<Record<string, Role>>>> = {
  data: {
    'POST /v1/chat/completions': 'key',
    'POST /v1/completions': 'key',
    'POST /v1/embeddings': 'key',
    'POST /v1/rerank': 'key',
    'POST /v1/responses': 'key',
    'POST /v1/messages': 'key',
    'POST /v1/messages/count_tokens': 'key',
    'POST /v1/audio/transcriptions': 'key',
    'POST /v1/audio/translations': 'key',
    'POST /v1/audio/speech': 'key',
    'GET /v1/models': 'key',
    'GET /v1/models/:id{.+}': 'key',
    'GET /healthz': 'anybody',
    'GET /readyz': 'anybody',
  },
  admin: {
    // On loopback, as here.
    'GET /metrics': 'anybody',
    'GET /admin/keys': 'operator',
    'POST /admin/keys': 'operator',
    'GET /admin/keys/:id': 'operator',
    'PATCH /admin/keys/:id': 'operator',
    'POST /admin/keys/:id/rotate': 'operator',
    'POST /admin/keys/:id/revoke': 'operator',
    'GET /admin/teams': 'operator',
    'GET /admin/limits/:id': 'operator',
    'GET /admin/usage': 'operator',
    'GET /admin/audit': 'operator',
    'GET /admin/queue': 'operator',
    'POST /admin/queue/pause': 'operator',
    'POST /admin/queue/resume': 'operator',
    'GET /admin/requests': 'operator',
    'GET /admin/requests/:id': 'operator',
    'POST /admin/requests/:id/cancel': 'operator',
    'GET /admin/decisions': 'operator',
    'GET /admin/hosts': 'operator',
    'POST /admin/hosts': 'operator',
    'DELETE /admin/hosts/:id': 'operator',
    'POST /admin/hosts/:id/drain': 'operator',
    'POST /admin/config/reload': 'operator',
    'GET /admin/models': 'operator',
    'GET /admin/replicas': 'operator',
    'GET /admin/stats': 'operator',
    'POST /admin/hosts/:id/pause': 'operator',
    'POST /admin/hosts/:id/resume': 'operator',
    'GET /admin/openapi.json': 'operator',
  },
}

/** Middleware, which answers nothing by itself but refusals. */
const middleware: Readonly<Record<'data' | 'admin', readonly string[]>> = {
  data: ['/*', '/v1/*'],
  admin: ['/*'],
}

interface Routed {
  readonly method: string
  readonly path: string
}

/** Nothing of the parts is touched before a request comes. */
const routed: Readonly<Record<'data' | 'admin', readonly Routed[]>> = {
  data: routesOf(dataApp({} as DataParts)),
  admin: [adminApp, operatorApp].flatMap((app) =>
    routesOf(app({ bind: '127.0.0.1', hostNames: [] as readonly string[] } as unknown as AdminParts)),
  ),
}

function routesOf({ routes }: Pick<Hono<{ Bindings: HttpBindings }>, 'routes'>): Routed[] {
  return routes.map(({ method, path }) => ({ method, path }))
}

const named = (side: 'data' | 'admin') => routed[side].filter(({ method }) => method !== 'ALL')

describe.each(['data', 'admin'] as const)('on the %s listener', (side) => {
  test('every route has a row, and every row a route', () => {
    expect(
      named(side)
        .map(({ method, path }) => `${method} ${path}`)
        .toSorted(),
    ).toEqual(Object.keys(roles[side]).toSorted())
  })

  test('what takes every method is middleware, or refuses those that a path does not take', () => {
    const paths = new Set([...named(side).map(({ path }) => path), ...middleware[side]])
    const unexplained = routed[side].filter(({ method, path }) => method === 'ALL' && !paths.has(path))
    expect(unexplained).toEqual([])
  })
})

let double: LmxDouble
let gateway: GatewayUnderTest
let keys: readonly string[]
let anyone: Readonly<Record<string, Readonly<Record<string, string>>>>

beforeAll(async () => {
  double = await startLmxDouble()
  gateway = await startGateway({
    hosts: [{ name: 'studio', url: double.url }],
    limits: { failedKeysPerMinute: 1_000_000 },
  })
  const live = await gateway.createKey({ name: 'live' })
  const other = await gateway.createKey({ name: 'second' })
  const revoked = await gateway.createKey({ name: 'revoked' })
  await gateway.admin('POST', '/admin/keys/revoked/revoke', {})
  await expectRefused([revoked.key])
  keys = [live.key, other.key]
  anyone = {
    nobody: {},
    garbage: { authorization: 'Bearer x' },
    'another scheme': { authorization: `Basic ${live.key}` },
    'a key that is not there': bearer(newKey().key.reveal()),
    'a key with a letter changed': bearer(changed(live.key)),
    'a revoked key': bearer(revoked.key),
    'a live key': bearer(live.key),
    'another live key': bearer(other.key),
    'a live key as x-api-key': { 'x-api-key': live.key },
    'the admin token': bearer(gateway.adminToken),
    'the admin token as x-api-key': { 'x-api-key': gateway.adminToken },
  }
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await double.stop()
})

/** A second is what a revoked key may still be taken for; the test waits longer, since machines have other things to do. */
async function expectRefused(all: readonly string[]): Promise<void> {
  const endsAt = performance.now() + 20_000
  for (const key of all) {
    while ((await ask('GET', 'data', '/v1/models', bearer(key))).status !== 401) {
      if (performance.now() > endsAt) throw new Error('waited 20 s in vain for a revoked key to be refused')
      await pause(10)
    }
  }
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

function changed(key: string): string {
  return `${key.slice(0, 30)}${key[30] === 'a' ? 'b' : 'a'}${key.slice(31)}`
}

const goodKeys = ['a live key', 'another live key', 'a live key as x-api-key']
const bearerKeys = [
  'a key that is not there',
  'a key with a letter changed',
  'a revoked key',
  'a live key',
  'another live key',
]

/** The status of who may not; null for who may, whatever else is wrong with what they sent. */
function refusalFor(side: 'data' | 'admin', role: Role, who: string): number | null {
  if (role === 'anybody') return null
  if (side === 'data') return goodKeys.includes(who) ? null : 401
  if (who === 'the admin token') return null
  return bearerKeys.includes(who) ? 403 : 401
}

async function ask(
  method: string,
  side: 'data' | 'admin',
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${side === 'data' ? gateway.url : gateway.adminUrl}${path}`, {
    method,
    headers: { ...headers, ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) },
    ...(method === 'GET' ? {} : { body: '{"x":1}' }),
  })
  return { status: answer.status, text: await answer.text() }
}

const cells = (['data', 'admin'] as const).flatMap((side) =>
  named(side).map(({ method, path }) => ({ side, method, path, role: roles[side][`${method} ${path}`] ?? 'operator' })),
)

test.each(cells)('$method $path of the $side listener is for: $role', async ({ side, method, path, role }) => {
  const expected: Record<string, string> = {}
  const seen: Record<string, string> = {}
  for (const [who, headers] of Object.entries(anyone)) {
    const { status } = await ask(method, side, path.replace(/:id(\{.*\})?$|:id/, 'live'), headers)
    const refused = refusalFor(side, role, who)
    expected[who] = String(refused ?? 'may')
    seen[who] = String([401, 403, 429].includes(status) || status >= 500 ? status : 'may')
  }
  expect(seen).toEqual(expected)
})

test('what is nowhere tells strangers nothing: the same as what a wrong key is told', async () => {
  for (const [side, path] of [
    ['data', '/v1/keys'],
    ['data', '/admin/keys'],
    ['data', '/metrics'],
    ['data', '/v1/models/none'],
    ['admin', '/admin/none'],
    ['admin', '/v1/models'],
  ] as const) {
    const answers = new Set<string>()
    for (const who of ['nobody', 'garbage']) {
      const { status, text } = await ask('GET', side, path, anyone[who] ?? {})
      expect([401, 404]).toContain(status)
      answers.add(`${status} ${text}`)
    }
    expect([path, answers.size]).toEqual([path, 1])
  }
})

test('when the last key is revoked the door stays closed', async () => {
  for (const name of ['live', 'second']) await gateway.admin('POST', `/admin/keys/${name}/revoke`, {})
  await expectRefused(keys)
  for (const [who, headers] of Object.entries(anyone))
    expect([who, (await ask('GET', 'data', '/v1/models', headers)).status]).toEqual([who, 401])
  for (const { method, path, role } of cells.filter(({ side }) => side === 'data')) {
    const { status } = await ask(method, 'data', path.replace(':id{.+}', 'x'), {})
    if (role === 'key') expect([path, status]).toEqual([path, 401])
    else expect(status).toBeLessThan(400)
  }
})
