/** The line in metrics: who waits, how long waits were beside what was told of them, and what each key was served. */
import type { TokenTotals } from '../metering/events.ts'
import type { AnnouncedWait, QueueDepth, QueueEvents, QueueState, Rejection } from '../queue/events.ts'
import { otherLabel, type Row, type SeriesTable } from './series-table.ts'

/** What a token counts for where keys are compared. */
export interface TokenCosts {
  /** Of the prompt, unless it came from a cache. */
  readonly input: number
  readonly output: number
}

export function lineEvents(table: SeriesTable): QueueEvents {
  return {
    waitEnded: ({ model, class: ofClass }, outcome, waitMs) =>
      table.observe('queue_wait_seconds', { model: model ?? otherLabel, class: ofClass, outcome }, waitMs / 1000),
    rejected: (model, reason) => table.increase('queue_rejections_total', { model: model ?? otherLabel, reason }),
    estimateTold: (wait) => compareWait(table, wait),
    gaveBack: (model) => table.increase('bulk_given_back_total', { model: model ?? otherLabel }),
  }
}

function compareWait(table: SeriesTable, { model, p50Ms, p90Ms, waitMs }: AnnouncedWait): void {
  // What cannot be divided by is no estimate to compare with.
  if (p50Ms <= 0) return
  const ofModel = { model: model ?? otherLabel }
  table.observe('wait_estimate_ratio', ofModel, waitMs / p50Ms)
  table.increase('wait_estimate_p90_misses_total', ofModel, waitMs > p90Ms ? 1 : 0)
}

export function writeLine(table: SeriesTable, { depths, flows, fairnessGap, bytes, paused }: QueueState): void {
  table.rewrite('queue_paused', [[{}, paused ? 1 : 0]], 'zero')
  const byClass = (of: (depth: QueueDepth) => number) =>
    depths.map((depth) => [{ model: depth.model, class: depth.class }, of(depth)] as const)
  const waiting = byClass((depth) => depth.waiting)
  const tokens = byClass((depth) => depth.tokens)
  const ages = byClass((depth) => depth.oldestMs / 1000)
  table.rewrite('queue_depth', waiting, 'zero')
  table.rewrite('queue_estimated_tokens', tokens, 'zero')
  // Of the models that share a label the oldest counts: ages do not add up.
  table.rewrite('queue_oldest_age_seconds', ages, 'zero', 'max')
  table.rewrite('queue_bytes', [[{}, bytes]], 'zero')
  const ofKeys = flows.map(({ key, waiting: depth }) => [{ key }, depth] as const)
  const running = flows.map(({ key, running: inFlight }) => [{ key }, inFlight] as const)
  table.rewrite('key_queue_depth', ofKeys, 'zero')
  table.rewrite('key_inflight', running, 'zero')
  table.rewrite('fairness_gap_cost', [[{}, fairnessGap]], 'zero')
}

/** From the same totals as the tokens themselves, so that the two cannot tell different stories. */
export function writeServiceCost(table: SeriesTable, totals: readonly TokenTotals[], costs: TokenCosts): void {
  const rows = totals.map(({ key, input, cachedInput, output }): Row<'key_service_cost_total'> => {
    return [{ key }, Math.max(0, input - cachedInput) * costs.input + output * costs.output]
  })
  table.mirror('key_service_cost_total', rows)
}

const rejections: readonly Rejection[] = ['full', 'key_full', 'wait_too_long', 'bytes', 'timeout', 'no_host']

/** What can be foreseen of a model is there before it happens. */
export function startLineAtZero(table: SeriesTable, model: string): void {
  for (const reason of rejections) table.increase('queue_rejections_total', { model, reason }, 0)
  table.increase('wait_estimate_p90_misses_total', { model }, 0)
  table.increase('bulk_given_back_total', { model }, 0)
}
