/** The last choices of a host: which there were, what was known of each, and what came of the one that was taken. */
import { z } from 'zod'
import type { DecisionRecord } from '../../balancing/events.ts'
import type { Steps } from '../../base/steps.ts'
import type { AdminParts } from './admin-parts.ts'
import { keyNames } from './admin-parts.ts'
import { type AdminRoute, largeJson, reads } from './admin-route.ts'
import { decisionsSchema } from './decision-schema.ts'
import { nameText, published, wholeText } from './documented.ts'
import { jsonInSteps } from './json-steps.ts'
import { shownDecision } from './shown-decision.ts'

const countDefault = 100
const countMax = 10_000

const filters = z.strictObject({
  model: nameText.optional().describe('Only for this model, by the name that was asked for'),
  host: nameText.optional().describe('Only those that chose this host'),
  key: nameText.optional().describe('Only for this key, by id or name'),
  request: nameText.optional().describe('Only of this request, by the id of the gateway or of its client'),
  reason: nameText.optional().describe('Only for this reason'),
  count: wholeText(countMax).describe('Decisions to list, a hundred unless said'),
})

type Wanted = z.output<typeof filters>

export const decisionRoutes: readonly AdminRoute[] = [
  reads({
    path: '/admin/decisions',
    operation: 'listDecisions',
    summary:
      'Why requests went where they did: the last choices of a host, the newest first, with what was known of each place and what came of the one that was taken.',
    query: filters,
    answers: { 'application/json': published('Decisions', decisionsSchema) },
    handle: ({ query }, parts) => largeJson(decisionsPage(query, parts), parts),
  }),
]

function* decisionsPage(query: Wanted, { traffic, allKeys }: AdminParts): Steps<readonly Buffer[]> {
  const { count = countDefault, key, ...wanted } = query
  const keys = key === undefined ? null : keyNames(key, allKeys)
  const found: DecisionRecord[] = []
  for (const decision of traffic.decisions.newestFirst()) {
    yield
    if ((keys !== null && !keys.has(decision.key)) || !isWanted(decision, wanted)) continue
    if (found.push(decision) === count) break
  }
  return yield* jsonInSteps({}, { decisions: found.values().map(shownDecision) })
}

function isWanted(decision: DecisionRecord, { model, host, request, reason }: Omit<Wanted, 'count' | 'key'>): boolean {
  return (
    (model === undefined || decision.model === model) &&
    (host === undefined || decision.places[0].host === host) &&
    (request === undefined || decision.request === request || decision.requestId === request) &&
    (reason === undefined || decision.reason === reason)
  )
}
