/** Opta LMX with one model loaded, out of captures of the real server's HTTP layer. */

import { readFileSync } from 'node:fs'
import type { StubAnswer, StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

const captures = new URL('../../fixtures/lmx/', import.meta.url)

export const lmxStub: StubPlan = {
  kind: 'lmx',
  headers: {},
  answers: {
    '/healthz': captured('healthz'),
    '/readyz': captured('readyz'),
    '/v1/models': captured('models'),
    '/v1/discovery': captured('discovery'),
    '/.well-known/opta-lmx': captured('well-known'),
    '/admin/models': captured('admin.models'),
    '/admin/metrics': captured('admin.metrics.busy'),
  },
  unknownPath: () => captured('not-found'),
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: '/healthz',
  models: [{ id: 'org/stub-a', created: 1_795_379_284, ownedBy: 'local', resident: true }],
  slots: undefined,
  running: 0,
  signals: { running: 2, queued: 5, memoryUsedRatio: 1.06 / 23.54 },
}

/** What LMX answers every path but /healthz, /readyz and /admin/health with while its memory is nearly full. */
export const lmxShedding: StubAnswer = {
  ...json({ error: { message: 'Server under memory pressure', type: 'server_error', code: 'overloaded' } }, 503),
  headers: { 'content-type': 'application/json', 'retry-after': '30' },
}

export function captured(name: string): StubAnswer {
  const [head = '', body = ''] = readFileSync(new URL(`${name}.http`, captures), 'utf8').split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s, 2) as [string, string]))
  return { status: Number(statusLine.split(' ')[1]), headers, body }
}
