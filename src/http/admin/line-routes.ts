/** The line: shown, paused and resumed. After a start it is not paused. */
import { z } from 'zod'
import type { KeyRecord } from '../../access/key-record.ts'
import { lineView } from '../../queue/line-view.ts'
import { lineStateSchema, lineViewSchema } from '../../queue/line-view-schema.ts'
import type { AdminParts } from './admin-parts.ts'
import { type AdminRoute, adminChange, changes, reads } from './admin-route.ts'
import { nameText, noFields, published, wholeText } from './documented.ts'

const waitingCountDefault = 100
const waitingCountMax = 1_000

const lineAnswer = published('Line', lineViewSchema)
const lineStateAnswer = published('LineState', lineStateSchema)

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
]

function setLine({ traffic: { dispatcher }, log }: AdminParts, actor: string, paused: boolean) {
  if (dispatcher.paused !== paused) {
    if (paused) dispatcher.pause()
    else dispatcher.resume()
    log('info', adminChange, { actor, action: paused ? 'queue.pause' : 'queue.resume' })
  }
  return { json: { paused: dispatcher.paused } }
}

function keysById(allKeys: AdminParts['allKeys'], ids: ReadonlySet<string>): ReadonlyMap<string, KeyRecord> {
  const keys = new Map<string, KeyRecord>()
  for (const record of allKeys()) if (ids.has(record.id)) keys.set(record.id, record)
  return keys
}
