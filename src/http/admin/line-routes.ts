/** The line and the hosts: shown, paused and resumed. Nothing of it outlives the process: after a start nothing is paused. */
import { z } from 'zod'
import type { KeyRecord } from '../../access/key-record.ts'
import { GatewayError } from '../../base/errors.ts'
import type { Host } from '../../hosts/host.ts'
import { lineHost, lineView } from '../../queue/line-view.ts'
import { lineHostSchema, lineStateSchema, lineViewSchema } from '../../queue/line-view-schema.ts'
import type { AdminParts } from './admin-parts.ts'
import { type AdminRoute, adminChange, changes, reads } from './admin-route.ts'
import { nameText, noFields, published, wholeText } from './documented.ts'

const waitingCountDefault = 100
const waitingCountMax = 1_000

const lineAnswer = published('Line', lineViewSchema)
const lineStateAnswer = published('LineState', lineStateSchema)
const hostAnswer = published('LineHost', lineHostSchema)

const hostName = 'Name of a host'

export const lineRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/queue',
    operation: 'getLine',
    summary: 'The line: who waits, for how long, and what each key has had.',
    query: z.strictObject({
      key: nameText.optional().describe('List only the waiting requests of this key, by id or name'),
      count: wholeText(waitingCountMax).describe('Waiting requests to list, a hundred unless said'),
    }),
    answers: { 'application/json': lineAnswer },
    handle: async ({ query: { key = null, count = waitingCountDefault } }, { traffic, allKeys, clock }) => {
      const keysOf = (ids: ReadonlySet<string>) => keysById(allKeys, ids)
      return { json: await lineView(traffic, { clock, count, key, keysOf }) }
    },
  }),
  changes({
    method: 'POST',
    path: '/admin/queue/pause',
    operation: 'pauseLine',
    summary:
      'Gives nobody a slot until it is resumed, or the gateway starts again: what runs goes on, what waits or comes waits for as long as its patience lasts.',
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': lineStateAnswer },
    handle: ({ actor }, parts) => setLine(parts, actor, true),
  }),
  changes({
    method: 'POST',
    path: '/admin/queue/resume',
    operation: 'resumeLine',
    summary: 'Gives slots again.',
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': lineStateAnswer },
    handle: ({ actor }, parts) => setLine(parts, actor, false),
  }),
  changes({
    method: 'POST',
    path: '/admin/hosts/:id/pause',
    operation: 'pauseHost',
    summary:
      'Gives a host no request until it is resumed, or the gateway starts again: what runs there goes on, and so do probes.',
    idMeans: hostName,
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': hostAnswer },
    refusals: ['not_found'],
    handle: ({ id, actor }, parts) => setHost(parts, { id, actor, paused: true }),
  }),
  changes({
    method: 'POST',
    path: '/admin/hosts/:id/resume',
    operation: 'resumeHost',
    summary: 'Gives a host requests again.',
    idMeans: hostName,
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': hostAnswer },
    refusals: ['not_found'],
    handle: ({ id, actor }, parts) => setHost(parts, { id, actor, paused: false }),
  }),
]

function setLine({ traffic: { dispatcher }, log }: AdminParts, actor: string, paused: boolean) {
  if (dispatcher.paused !== paused) {
    if (paused) dispatcher.pause()
    else dispatcher.resume()
    log('info', adminChange, { actor, action: paused ? 'queue.pause' : 'queue.resume' })
  }
  return { json: { paused: dispatcher.paused } }
}

function setHost(parts: AdminParts, { id, actor, paused }: { id: string; actor: string; paused: boolean }) {
  const host = hostOf(parts.traffic.hosts, id)
  if (host.paused !== paused) {
    if (paused) host.pause()
    else host.resume()
    parts.log('info', adminChange, { actor, action: paused ? 'host.pause' : 'host.resume', host: host.name })
  }
  return { json: lineHost(host) }
}

function hostOf(hosts: readonly Host[], name: string): Host {
  const found = hosts.find((host) => host.name === name)
  if (found !== undefined) return found
  const known = hosts.map((host) => host.name).join(', ')
  throw new GatewayError('not_found', `There is no such host; there are: ${known}.`)
}

function keysById(allKeys: AdminParts['allKeys'], ids: ReadonlySet<string>): ReadonlyMap<string, KeyRecord> {
  const keys = new Map<string, KeyRecord>()
  for (const record of allKeys()) if (ids.has(record.id)) keys.set(record.id, record)
  return keys
}
