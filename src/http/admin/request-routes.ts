/** Requests, one by one: those that wait or run, and the last that ended. Many of them are told in turns. */
import { z } from 'zod'
import type { DecisionRecord } from '../../balancing/events.ts'
import { GatewayError } from '../../base/errors.ts'
import type { Steps } from '../../base/steps.ts'
import { type LiveRequest, liveRequestSchema } from '../../relay/live-request-schema.ts'
import type { Outcome } from '../../relay/outcome.ts'
import { isIn, phaseFilters } from '../../relay/phase-names.ts'
import { type AdminParts, keyNames } from './admin-parts.ts'
import { type AdminRoute, adminChange, changes, largeJson, nothing, reads } from './admin-route.ts'
import { nameText, noFields, published, wholeText } from './documented.ts'
import { endedRequest } from './ended-request.ts'
import { jsonInSteps } from './json-steps.ts'
import { requestSchema, requestsSchema, type ShownRequest } from './requests-schema.ts'
import { shownDecision } from './shown-decision.ts'

const liveDefault = 1_000
const liveMax = 10_000
const endedDefault = 100
const endedMax = 10_000

const liveRequestAnswer = published('LiveRequest', liveRequestSchema)
const requestsAnswer = published('Requests', requestsSchema)
const requestAnswer = published('Request', requestSchema)

const requestIdMeans = 'Id of a request, as a list of them has it'

const filter = (what: string) => nameText.optional().describe(`Only of this ${what}`)

const requestFilters = z.strictObject({
  key: filter('key, by id or name'),
  model: filter('model'),
  host: filter('host'),
  phase: z
    .enum(phaseFilters)
    .optional()
    .describe('Of those that have not ended only in this phase; waiting and running are several together'),
  requestId: nameText.optional().describe('Only those that clients know by this id (x-request-id)'),
  count: wholeText(liveMax, 0).describe('Requests to list that have not ended, a thousand unless said'),
  ended: wholeText(endedMax, 0).describe('Requests to list that have ended, a hundred unless said'),
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
    handle: ({ query }, parts) => largeJson(requestsPage(query, parts), parts),
  }),
  reads({
    path: '/admin/requests/:id',
    operation: 'readRequest',
    summary: 'One request that waits or runs, or is among the last that ended (log.recentRequestsMax).',
    idMeans: `${requestIdMeans}, or the one its client knows it by (x-request-id), then the newest of that id`,
    query: nothing,
    answers: { 'application/json': requestAnswer },
    refusals: ['not_found'],
    handle: ({ id }, { traffic }) => ({ json: shownRequest(id, traffic) }),
  }),
  changes({
    method: 'POST',
    path: '/admin/requests/:id/cancel',
    operation: 'cancelRequest',
    summary:
      'Ends a request: its client is told request_cancelled, the connection to its host is closed. Answers what it was.',
    idMeans: requestIdMeans,
    body: noFields,
    isBodyOptional: true,
    answers: { 'application/json': liveRequestAnswer },
    refusals: ['not_found', 'conflict'],
    handle: ({ id, actor }, { traffic, log }) => {
      const request = traffic.relay.cancel(id)
      const { requestId: ofClient, key, phase, host } = request
      log('info', adminChange, { actor, action: 'request.cancel', id, requestId: ofClient, key, phase, host })
      return { json: request }
    },
  }),
]

function shownRequest(id: string, traffic: AdminParts['traffic']): ShownRequest {
  const { live, ended } = requestOf(id, traffic)
  const decisions = decisionsOf(live?.id ?? ended?.id ?? id, ended, traffic)
  if (live === null && ended === null && decisions.length === 0) throw noRequest()
  return { live, ended: ended && endedRequest(ended), decisions: decisions.map(shownDecision) }
}

function requestOf(id: string, { relay, recent }: AdminParts['traffic']) {
  const live = relay.live().find((one) => one.id === id) ?? null
  const ended = live === null ? recent.find((one) => one.id === id) : null
  if (live !== null || ended !== null) return { live, ended }
  // Clients may send one id several times.
  const newestLive = relay.live().reduce<LiveRequest | null>((last, one) => (one.requestId === id ? one : last), null)
  if (newestLive !== null) return { live: newestLive, ended: null }
  return { live: null, ended: recent.find((one) => one.requestId === id) }
}

/** The first of them first. Those that led to an attempt are kept with the request, too, which may stay for longer. */
function decisionsOf(id: string, ended: Outcome | null, { decisions }: AdminParts['traffic']): DecisionRecord[] {
  const found = new Set(ended?.attemptsMade.flatMap(({ decision }) => decision ?? []))
  for (const decision of decisions.newestFirst()) if (decision.request === id) found.add(decision)
  return [...found].toSorted((a, b) => a.atMs - b.atMs)
}

function noRequest(): GatewayError {
  return new GatewayError(
    'not_found',
    'There is no such request, or it ended too long ago: log.recentRequestsMax says how many are kept, and balancing.decisionsMax how many choices of a host.',
  )
}

function* requestsPage(query: Wanted, parts: AdminParts): Steps<readonly Buffer[]> {
  const { requests, matching } = yield* liveOf(query, parts)
  const ended = yield* endedOf(query, parts)
  return yield* jsonInSteps({ matching }, { requests, ended: ended.values().map(endedRequest) })
}

function* liveOf({ count = liveDefault, ...wanted }: Wanted, { traffic }: AdminParts) {
  const requests: LiveRequest[] = []
  let matching = 0
  for (const request of traffic.relay.live()) {
    if (!isWanted(request, wanted)) continue
    matching++
    if (requests.length < count) requests.push(request)
  }
  yield
  return { requests, matching }
}

function isWanted(request: LiveRequest, { key, model, host, phase, requestId }: Wanted): boolean {
  return (
    (requestId === undefined || request.requestId === requestId) &&
    (key === undefined || request.key === key || request.keyId === key) &&
    (model === undefined || request.model === model) &&
    (host === undefined || request.host === host) &&
    (phase === undefined || isIn(phase, request.phase))
  )
}

function* endedOf({ ended: count = endedDefault, ...wanted }: Wanted, { traffic, allKeys }: AdminParts) {
  const keys = wanted.key === undefined ? null : keyNames(wanted.key, allKeys)
  const found: Outcome[] = []
  if (count === 0) return found
  for (const outcome of traffic.recent.newestFirst()) {
    yield
    if ((keys !== null && !keys.has(outcome.key)) || !isWantedEnded(outcome, wanted)) continue
    if (found.push(outcome) === count) break
  }
  return found
}

function isWantedEnded(outcome: Outcome, wanted: Wanted): boolean {
  const { model, host, requestId, status, end, slowerThanMs } = wanted
  return (
    (requestId === undefined || outcome.requestId === requestId) &&
    (model === undefined || outcome.model === model) &&
    (host === undefined || outcome.host === host) &&
    (status === undefined || outcome.status === status) &&
    (end === undefined || outcome.end === end) &&
    (slowerThanMs === undefined || outcome.durationMs > slowerThanMs)
  )
}
