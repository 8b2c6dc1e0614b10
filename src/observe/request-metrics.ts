/** What each request that ended adds to the metrics. */

import { type FirstToken, failoverPhases, overheadStages } from '../relay/events.ts'
import type { FirstTokenParts, Outcome } from '../relay/outcome.ts'
import { firstTokenMet, judged, type Objectives, objectiveNames, objectiveOf } from './objectives.ts'
import { requestOutcome, requestOutcomes } from './request-outcome.ts'
import { recordPrediction } from './routing-metrics.ts'
import { type Exemplar, otherLabel, type SeriesTable } from './series-table.ts'

export function recordRequest(table: SeriesTable, outcome: Outcome, objectives: Objectives): void {
  const model = outcome.model ?? otherLabel
  const { endpoint, key, host, status, end, tokens } = outcome
  table.increase('requests_total', { endpoint, model, key, status: String(status), end })
  table.increase('request_outcomes_total', { model, outcome: requestOutcome(outcome) })
  recordObjectives(table, model, outcome, objectives)
  // Also of those that never got a slot: their waits are the worst.
  table.increase('key_queue_seconds_total', { key }, outcome.spent.queueMs / 1000)
  if (host === null) return
  recordSpeed(table, { model, host }, outcome, objectives)
  recordPrediction(table, { model, host }, outcome)
  if (end !== '--' || status >= 400) return
  if (outcome.usageSource !== 'none') table.increase('usage_source_total', { host, source: outcome.usageSource })
  table.observe('request_duration_seconds', { model, host }, outcome.durationMs / 1000)
  if (tokens.input > 0) table.observe('request_input_tokens', { model }, tokens.input)
  if (tokens.output > 0) table.observe('request_output_tokens', { model }, tokens.output)
}

/** Told when it comes: figures that came with the end of long answers would be minutes late, and of short answers first. */
export function recordFirstToken(table: SeriesTable, first: FirstToken, objectives: Objectives): void {
  const model = first.model ?? otherLabel
  const at = { model, host: first.host }
  const objective = objectiveOf(first.model, objectives)
  const slow = first.ttftMs > objective.timeToFirstTokenMsMax ? exemplarOf(first) : null
  table.observe('time_to_first_token_seconds', { ...at, class: first.class ?? 'default' }, first.ttftMs / 1000, slow)
  for (const [part, ms] of firstTokenParts(first.parts)) {
    table.increase('time_to_first_token_part_seconds_total', { ...at, part }, ms / 1000)
  }
  const isMet = firstTokenMet(first, objective)
  if (isMet !== null) table.increase('slo_requests_total', { slo: 'ttft', model, met: String(isMet) })
}

interface Place {
  readonly model: string
  readonly host: string
}

function recordSpeed(table: SeriesTable, at: Place, outcome: Outcome, objectives: Objectives): void {
  const { upstreamTtftMs, timePerOutputTokenMs } = outcome
  // What came from the cache is known at the end alone.
  if (upstreamTtftMs !== null) {
    table.observe('upstream_time_to_first_token_seconds', { ...at, cache: cacheOf(outcome) }, upstreamTtftMs / 1000)
  }
  if (timePerOutputTokenMs !== null) {
    const { timePerOutputTokenMsMax } = objectiveOf(outcome.model, objectives)
    const slow = timePerOutputTokenMs > timePerOutputTokenMsMax ? exemplarOf(outcome) : null
    table.observe('time_per_output_token_seconds', at, timePerOutputTokenMs / 1000, slow)
  }
}

function recordObjectives(table: SeriesTable, model: string, outcome: Outcome, objectives: Objectives): void {
  const judgement = judged(outcome, objectives)
  for (const slo of objectiveNames) {
    const isMet = judgement[slo]
    if (isMet === null) continue
    const labels = { slo, model, met: String(isMet) }
    const isTold = slo === 'ttft' && outcome.ttftMs !== null
    table.increase('slo_requests_total', labels, isTold ? 0 : 1)
    table.increase('slo_tokens_total', labels, outcome.tokens.output)
  }
}

/** They add up to the time to it. */
function firstTokenParts({ readMs, limitMs, queueMs, lostMs, hostMs, prefillMs }: FirstTokenParts) {
  return [
    ['read', readMs],
    ['limit', limitMs],
    ['queue', queueMs],
    ['lost', lostMs],
    ['host', hostMs],
    ['prefill', prefillMs],
  ] as const
}

/** The rest of a prompt that ends in something new is computed even where all of it was there before. */
const hitShare = 0.9

function cacheOf({ tokens: { input, cachedInput }, sources }: Outcome): string {
  // A host that says nothing of its cache may have one all the same.
  if (sources.cachedInput !== 'reported' || input === 0) return 'unknown'
  if (cachedInput === 0) return 'miss'
  return cachedInput >= hitShare * input ? 'hit' : 'partial'
}

/** Leads from a slow bucket to the request and its trace. */
function exemplarOf({ id, trace }: Pick<Outcome, 'id' | 'trace'>): Exemplar {
  return trace?.sampled === true ? { request_id: id, trace_id: trace.traceId } : { request_id: id }
}

export function startRequestsAtZero(table: SeriesTable, model: string): void {
  for (const phase of failoverPhases) {
    for (const result of ['ok', 'failed']) table.start('failovers_total', { model, phase, result })
  }
  for (const outcome of requestOutcomes) table.start('request_outcomes_total', { model, outcome })
  for (const slo of objectiveNames) {
    for (const met of ['true', 'false']) {
      table.start('slo_requests_total', { slo, model, met })
      table.start('slo_tokens_total', { slo, model, met })
    }
  }
}

export function startOverheadAtZero(table: SeriesTable): void {
  for (const stage of overheadStages) table.start('gateway_overhead_seconds', { stage })
}
