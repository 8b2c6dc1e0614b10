/** Hosts, models and the gateway with the figures of /metrics, for scripts. */
import { z } from 'zod'
import { inTurns } from '../../observe/turns.ts'
import { type AdminRoute, largeJson, nothing, reads } from './admin-route.ts'
import { published, wholeText } from './documented.ts'
import { hostsPage, modelsPage } from './fleet-pages.ts'
import { hostsSchema, modelsSchema } from './fleet-schema.ts'
import { statsPage } from './stats-page.ts'
import { statsSchema } from './stats-schema.ts'

const keysDefault = 10
const keysMax = 1_000

export const fleetRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/hosts',
    operation: 'listHosts',
    summary: 'The hosts: what each is, what it does now, and how fast it was in the last minutes.',
    query: nothing,
    answers: { 'application/json': published('Hosts', hostsSchema) },
    handle: (_call, parts) => largeJson(hostsPage(parts), parts),
  }),
  reads({
    path: '/admin/models',
    operation: 'listModels',
    summary:
      'The models: which hosts have each, who waits for it, what became of its requests, and how fast they were.',
    query: nothing,
    answers: { 'application/json': published('Models', modelsSchema) },
    handle: (_call, parts) => largeJson(modelsPage(parts), parts),
  }),
  reads({
    path: '/admin/stats',
    operation: 'readStats',
    summary: 'The gateway as a whole since its start and in the last minutes, with the figures of /metrics.',
    query: z.strictObject({ keys: wholeText(keysMax).describe('Keys to list, ten unless said') }),
    answers: { 'application/json': published('Stats', statsSchema) },
    handle: async ({ query: { keys = keysDefault } }, parts) => ({
      json: await inTurns(statsPage(parts, keys), parts.clock),
    }),
  }),
]
