/** What was used on this day and in this month, from sums of the day and of the days before it. */
import type { CalendarTotals, Charge } from '../metering/ledger-store.ts'

export interface DayOrBefore extends Charge {
  /** 1 for this day. */
  readonly isOfDay: number
}

export function calendarTotals(sums: readonly DayOrBefore[]): CalendarTotals {
  const day: Charge[] = []
  const month = new Map<string, Charge>()
  for (const { isOfDay, ...sum } of sums) {
    if (isOfDay === 1) day.push(sum)
    const id = JSON.stringify([sum.keyId, sum.team])
    const other = month.get(id)
    month.set(id, other === undefined ? sum : both(other, sum))
  }
  return { day, month: [...month.values()] }
}

function both(one: Charge, other: Charge): Charge {
  return {
    ...one,
    startedAtMs: Math.min(one.startedAtMs, other.startedAtMs),
    requests: one.requests + other.requests,
    input: one.input + other.input,
    cachedInput: one.cachedInput + other.cachedInput,
    output: one.output + other.output,
  }
}
