/** Limits in metrics: what they decided, what waiting for them took, and what is left of them. */
import type { AccessEvents, LimitRest } from '../access/events.ts'
import type { SeriesTable } from './series-table.ts'

export function accessEvents(table: SeriesTable): AccessEvents {
  return {
    limitDecided: (key, limit, decision) =>
      table.increase('ratelimit_decisions_total', { key, limit: limit ?? 'none', decision }),
    limitWaitEnded: (ofClass, outcome, waitMs) =>
      table.observe('limit_wait_seconds', { class: ofClass, outcome }, waitMs / 1000),
    reservationSettled: (model, ratio) => table.observe('ratelimit_reservation_ratio', { model }, ratio),
  }
}

export function writeLimitRests(table: SeriesTable, rests: Iterable<LimitRest>): void {
  const rows = Array.from(rests, ({ key, limit, share }) => [{ key, limit }, share] as const)
  table.rewrite('ratelimit_remaining_ratio', rows, 'gone')
}
