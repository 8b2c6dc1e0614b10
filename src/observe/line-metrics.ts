/** The line in metrics: who waits, how long waits were beside what was told of them, and what each key was served. */

import type { Steps } from '../base/steps.ts'
import type { AnnouncedWait, FlowState, QueueDepth, QueueEvents, QueueState, Rejection } from '../queue/events.ts'
import { otherLabel, type SeriesTable } from './series-table.ts'

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

export function* writeLine(table: SeriesTable, { depths, flows, fairnessGap, bytes, paused }: QueueState): Steps {
  table.set('queue_paused', {}, paused ? 1 : 0)
  table.set('queue_bytes', {}, bytes)
  table.set('fairness_gap_cost', {}, fairnessGap)
  const byClass = (of: (depth: QueueDepth) => number) =>
    depths.map((depth) => [{ model: depth.model, class: depth.class }, of(depth)] as const)
  const waiting = byClass((depth) => depth.waiting)
  const tokens = byClass((depth) => depth.tokens)
  const ages = byClass((depth) => depth.oldestMs / 1000)
  yield* table.rewrite('queue_depth', waiting, 'zero')
  yield* table.rewrite('queue_estimated_tokens', tokens, 'zero')
  // Of the models that share a label the oldest counts: ages do not add up.
  yield* table.rewrite('queue_oldest_age_seconds', ages, 'zero', 'max')
  yield* table.rewrite('key_queue_depth', byKey(flows, 'waiting'), 'zero')
  yield* table.rewrite('key_inflight', byKey(flows, 'running'), 'zero')
}

/** One after the other: keys may be many. */
function* byKey(
  flows: readonly FlowState[],
  figure: 'waiting' | 'running',
): Generator<readonly [labels: { readonly key: string }, value: number]> {
  for (const flow of flows) yield [{ key: flow.key }, flow[figure]]
}

const rejections: readonly Rejection[] = ['full', 'key_full', 'wait_too_long', 'bytes', 'timeout', 'no_host']

export function startLineAtZero(table: SeriesTable, model: string): void {
  for (const reason of rejections) table.start('queue_rejections_total', { model, reason })
  table.start('wait_estimate_p90_misses_total', { model })
  table.start('bulk_given_back_total', { model })
}
