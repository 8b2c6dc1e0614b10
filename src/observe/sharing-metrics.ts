/** Several gateways in metrics: what they ask of Redis, who of them lives, what they hold together, and what each has yet to tell. */

import type { SharedLimitEvents } from '../access/events.ts'
import type { Steps } from '../base/steps.ts'
import type { SharedSlotEvents, SharedSlotsState } from '../queue/events.ts'
import type { ReplicaEvents } from '../replicas/events.ts'
import { noRedisEvents, type RedisEvents } from '../stores/redis/events.ts'
import type { SharingSources } from './figure-sources.ts'
import type { SeriesTable } from './series-table.ts'

export interface SharingEvents extends SharedLimitEvents, SharedSlotEvents, ReplicaEvents {
  readonly redis: RedisEvents
}

export const noSharing: SharingEvents = {
  redis: noRedisEvents,
  limitsAsked: () => {},
  limitAnswerUndone: () => {},
  slotAsked: () => {},
  slotAnswerUndone: () => {},
  replicaGone: () => {},
  epochChanged: () => {},
}

export function sharingEvents(table: SeriesTable): SharingEvents {
  startAtZero(table)
  return {
    redis: redisEvents(table),
    limitsAsked: (by) => table.increase('shared_limit_decisions_total', { by }),
    limitAnswerUndone: () => table.increase('redis_late_answers_total', { of: 'limits' }),
    slotAsked: (host, outcome) => table.increase('shared_slot_decisions_total', { host, outcome }),
    slotAnswerUndone: () => table.increase('redis_late_answers_total', { of: 'slots' }),
    replicaGone: (how) => table.increase('replicas_gone_total', { how }),
    epochChanged: () => table.increase('redis_epochs_total', {}),
  }
}

function redisEvents(table: SeriesTable): RedisEvents {
  let wasUp = false
  return {
    called: (operation, outcome, ms) => {
      table.increase('redis_calls_total', { operation, outcome })
      if (outcome === 'ok' || outcome === 'timeout') table.observe('redis_call_seconds', { operation }, ms / 1_000)
    },
    up: (isUp) => {
      if (wasUp && !isUp) table.increase('redis_outages_total', {})
      wasUp = isUp
    },
  }
}

function startAtZero(table: SeriesTable): void {
  for (const kind of ['limits', 'slots']) table.start('redis_late_answers_total', { of: kind })
  for (const how of ['left', 'missed']) table.start('replicas_gone_total', { how })
  for (const by of ['shared', 'local']) table.start('shared_limit_decisions_total', { by })
}

type Named = Iterable<{ readonly name: string }>

export function* writeSharing(table: SeriesTable, sources: SharingSources, hosts: Named): Steps {
  const { count, isShared, beatAgeMs } = sources.replicas()
  table.set('redis_up', {}, sources.isRedisUp() ? 1 : 0)
  table.set('sharing_degraded', {}, isShared ? 0 : 1)
  table.set('replicas', {}, count)
  table.set('replica_beat_age_seconds', {}, beatAgeMs / 1_000)
  table.set('shared_limit_charges_waiting', {}, sources.limitChargesWaiting())
  yield* writeSlots(table, [...sources.slots()])
  for (const { name } of hosts) startHostAtZero(table, name)
  const { waitingRows, lagMs, handedRows, takenInRows, missedRows } = sources.handOver()
  table.set('usage_hand_over_waiting_rows', {}, waitingRows)
  table.set('usage_hand_over_lag_seconds', {}, lagMs / 1_000)
  yield* table.mirror('usage_rows_handed_over_total', [[{}, handedRows]])
  yield* table.mirror('usage_rows_taken_in_total', [[{}, takenInRows]])
  yield* table.mirror('usage_rows_missed_total', [[{}, missedRows]])
  table.set('key_mirror_age_seconds', {}, sources.keysAgeMs() / 1_000)
}

function* writeSlots(table: SeriesTable, slots: readonly SharedSlotsState[]): Steps {
  const elsewhere = slots.map(({ host, elsewhere: held }) => [{ host }, held] as const)
  const claims = slots.map(({ host, isClaimed }) => [{ host }, isClaimed ? 1 : 0] as const)
  yield* table.rewrite('shared_slots_elsewhere', elsewhere, 'gone', 'max')
  yield* table.rewrite('shared_slot_claims', claims, 'gone', 'max')
}

/** With the host's other counters. */
function startHostAtZero(table: SeriesTable, host: string): void {
  for (const outcome of ['granted', 'refused', 'local']) table.start('shared_slot_decisions_total', { host, outcome })
}
