/** Requests, one by one: those that wait or run, and the last that ended. */
import { z } from 'zod'
import { GatewayError } from '../../base/errors.ts'
import { endedRequest } from '../../relay/ended-request.ts'
import { type LiveRequest, liveRequestSchema } from '../../relay/live-request-schema.ts'
import type { Outcome } from '../../relay/outcome.ts'
import { isIn, phaseFilters } from '../../relay/phase-names.ts'
import { requestSchema, requestsSchema } from '../../relay/requests-schema.ts'
import type { AdminParts } from './admin-parts.ts'
import { type AdminRoute, reads } from './admin-route.ts'
import { nameText, published, wholeText } from './documented.ts'
import { nothing } from './request-input.ts'

const liveDefault = 1_000
const liveMax = 10_000
const endedDefault = 100
const endedMax = 10_000

export const liveRequestAnswer = published('LiveRequest', liveRequestSchema)
const requestsAnswer = published('Requests', requestsSchema)
const requestAnswer = published('Request', requestSchema)

export const requestIdMeans = 'Id of a request, as a list of them has it'

const filter = (what: string) => nameText.optional().describe(`Only of this ${what}`)

const requestFilters = z.strictObject({
  key: filter('key, by id or name'),
  model: filter('model'),
  host: filter('host'),
  phase: z
    .enum(phaseFilters)
    .optional()
    .describe('Of those that have not ended only in this phase; waiting and running are several together'),
  count: wholeText(liveMax).describe('Requests to list that have not ended, a thousand unless said'),
  ended: wholeText(endedMax).describe('Requests to list that have ended, a hundred unless said'),
  status: wholeText(599).describe('Of those that have ended only with this status'),
  end: nameText.optional().describe('Of those that have ended only with this end code'),
  slowerThanMs: wholeText(999_999_999).describe(
    'Of those that have ended only those that took longer, in milliseconds',
  ),
})

type Wanted = z.output<typeof requestFilters>

export const requestRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/requests',
    operation: 'listRequests',
    summary:
      'The requests that wait or run, the oldest first, and the last that ended, the newest first: with all their times and why each went where it did.',
    query: requestFilters,
    answers: { 'application/json': requestsAnswer },
    handle: ({ query }, parts) => ({ json: { ...liveOf(query, parts), ended: endedOf(query, parts) } }),
  }),
  reads({
    path: '/admin/requests/:id',
    operation: 'readRequest',
    summary: 'One request that waits or runs, or is among the last that ended (log.recentRequestsMax).',
    idMeans: requestIdMeans,
    query: nothing,
    answers: { 'application/json': requestAnswer },
    refusals: ['not_found'],
    handle: ({ id }, { traffic: { relay, recent } }) => {
      for (const live of relay.live()) if (live.id === id) return { json: { live, ended: null } }
      const ended = recent.find(id)
      if (ended !== null) return { json: { live: null, ended: endedRequest(ended) } }
      throw new GatewayError('not_found', 'There is no such request, or it ended too long ago.')
    },
  }),
]

function liveOf({ count = liveDefault, ...wanted }: Wanted, { traffic }: AdminParts) {
  const requests: LiveRequest[] = []
  let matching = 0
  for (const request of traffic.relay.live()) {
    if (!isWanted(request, wanted)) continue
    matching++
    if (requests.length < count) requests.push(request)
  }
  return { requests, matching }
}

function isWanted(request: LiveRequest, { key, model, host, phase }: Wanted): boolean {
  return (
    (key === undefined || request.key === key || request.keyId === key) &&
    (model === undefined || request.model === model) &&
    (host === undefined || request.host === host) &&
    (phase === undefined || isIn(phase, request.phase))
  )
}

function endedOf({ ended = endedDefault, ...wanted }: Wanted, { traffic, allKeys }: AdminParts) {
  const keys = wanted.key === undefined ? null : namesOf(wanted.key, allKeys)
  return traffic.recent
    .newestFirst()
    .filter((outcome) => (keys === null || keys.has(outcome.key)) && isWantedEnded(outcome, wanted))
    .take(ended)
    .map(endedRequest)
    .toArray()
}

function isWantedEnded(outcome: Outcome, { model, host, status, end, slowerThanMs }: Wanted): boolean {
  return (
    (model === undefined || outcome.model === model) &&
    (host === undefined || outcome.host === host) &&
    (status === undefined || outcome.status === status) &&
    (end === undefined || outcome.end === end) &&
    (slowerThanMs === undefined || outcome.durationMs > slowerThanMs)
  )
}

/** An outcome has the name of its key alone. */
function namesOf(key: string, allKeys: AdminParts['allKeys']): ReadonlySet<string> {
  const names = new Set([key])
  for (const record of allKeys()) if (record.id === key) names.add(record.name)
  return names
}
