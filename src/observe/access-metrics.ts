/** Limits in metrics: what they decided, what waiting for them took, and what is left of them. */
import type { AccessEvents, LimitRest } from '../access/events.ts'
import type { Steps } from '../base/steps.ts'
import type { Row, SeriesTable } from './series-table.ts'

export function accessEvents(table: SeriesTable): AccessEvents {
  return {
    limitDecided: (key, limit, decision) =>
      table.increase('ratelimit_decisions_total', { key, limit: limit ?? 'none', decision }),
    limitWaitEnded: (ofClass, outcome, waitMs) =>
      table.observe('limit_wait_seconds', { class: ofClass, outcome }, waitMs / 1000),
    reservationSettled: (model, ratio) => table.observe('ratelimit_reservation_ratio', { model }, ratio),
  }
}

export function* writeLimitRests(table: SeriesTable, rests: Iterable<LimitRest>): Steps {
  // Of a limit that a key and its team have, and of clients that share a label, the least is left.
  yield* table.rewrite('ratelimit_remaining_ratio', rowsOf(table, rests), 'gone', 'min')
}

/** One after the other: there may be some for each of many keys. */
function* rowsOf(table: SeriesTable, rests: Iterable<LimitRest>): Generator<Row<'ratelimit_remaining_ratio'>> {
  for (const { key, limit, share } of rests) {
    const isNew = !table.has('ratelimit_remaining_ratio', { key, limit })
    if (isNew && !table.isHalfFull) startAtZero(table, key, limit)
    yield [{ key, limit }, share]
  }
}

function startAtZero(table: SeriesTable, key: string, limit: LimitRest['limit']): void {
  table.start('ratelimit_decisions_total', { key, limit: 'none', decision: 'allow' })
  for (const decision of ['queue', 'reject']) table.start('ratelimit_decisions_total', { key, limit, decision })
}
