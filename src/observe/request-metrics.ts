/** What each request that ended adds to the metrics. */

import { failoverPhases, overheadStages } from '../relay/events.ts'
import type { Outcome, TimeSpent } from '../relay/outcome.ts'
import { type Judgement, judged, type Objectives, objectiveNames, objectiveOf } from './objectives.ts'
import { type Exemplar, otherLabel, type SeriesTable } from './series-table.ts'

export function recordRequest(table: SeriesTable, outcome: Outcome, objectives: Objectives): void {
  const model = outcome.model ?? otherLabel
  const { endpoint, key, host, status, end, tokens } = outcome
  table.increase('requests_total', { endpoint, model, key, status: String(status), end })
  recordObjectives(table, model, outcome, judged(outcome, objectives))
  if (outcome.queueWaitMs !== null) table.increase('key_queue_seconds_total', { key }, outcome.queueWaitMs / 1000)
  if (host === null) return
  recordSpeed(table, { model, host }, outcome, objectives)
  if (outcome.usageSource !== 'none') table.increase('usage_source_total', { host, source: outcome.usageSource })
  if (end !== '--' || status >= 400) return
  table.observe('request_duration_seconds', { model, host }, outcome.durationMs / 1000)
  if (tokens.input > 0) table.observe('request_input_tokens', { model }, tokens.input)
  if (tokens.output > 0) table.observe('request_output_tokens', { model }, tokens.output)
}

interface Place {
  readonly model: string
  readonly host: string
}

function recordSpeed(table: SeriesTable, at: Place, outcome: Outcome, objectives: Objectives): void {
  const { ttftMs, upstreamTtftMs, timePerOutputTokenMs } = outcome
  const objective = objectiveOf(outcome.model, objectives)
  if (ttftMs !== null) {
    const slow = ttftMs > objective.timeToFirstTokenMsMax ? exemplarOf(outcome) : null
    table.observe('time_to_first_token_seconds', { ...at, class: outcome.class ?? 'default' }, ttftMs / 1000, slow)
    for (const [part, ms] of firstTokenParts(outcome.spent)) {
      table.increase('time_to_first_token_part_seconds_total', { ...at, part }, ms / 1000)
    }
  }
  if (upstreamTtftMs !== null) {
    table.observe('upstream_time_to_first_token_seconds', { ...at, cache: cacheOf(outcome) }, upstreamTtftMs / 1000)
  }
  if (timePerOutputTokenMs !== null) {
    const slow = timePerOutputTokenMs > objective.timePerOutputTokenMsMax ? exemplarOf(outcome) : null
    table.observe('time_per_output_token_seconds', at, timePerOutputTokenMs / 1000, slow)
  }
}

function recordObjectives(table: SeriesTable, model: string, outcome: Outcome, judgement: Judgement): void {
  for (const slo of objectiveNames) {
    const isMet = judgement[slo]
    if (isMet === null) continue
    const labels = { slo, model, met: String(isMet) }
    table.increase('slo_requests_total', labels)
    table.increase('slo_tokens_total', labels, outcome.tokens.output)
  }
}

/** Up to the first content; they add up to the time to it. */
function firstTokenParts({ readMs, limitMs, queueMs, lostMs, hostMs, prefillMs }: TimeSpent) {
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
function exemplarOf({ id, trace }: Outcome): Exemplar {
  return trace?.sampled === true ? { request_id: id, trace_id: trace.traceId } : { request_id: id }
}

/** What can be foreseen is there before it happens: rate() misses the increment with which a series appears. */
export function startRequestsAtZero(table: SeriesTable, model: string): void {
  for (const phase of failoverPhases) {
    for (const result of ['ok', 'failed']) table.increase('failovers_total', { model, phase, result }, 0)
  }
  for (const slo of objectiveNames) {
    for (const met of ['true', 'false']) {
      table.increase('slo_requests_total', { slo, model, met }, 0)
      table.increase('slo_tokens_total', { slo, model, met }, 0)
    }
  }
}

export function startOverheadAtZero(table: SeriesTable): void {
  for (const stage of overheadStages) table.start('gateway_overhead_seconds', { stage })
}
