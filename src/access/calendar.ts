/** Calendar days and months of one time zone, by the wall clock. */

export interface Period {
  /** Tells it from all others: 2026-03-29 or 2026-03. */
  readonly label: string
  /** Wall clock; the first millisecond in it, and the first after it. */
  readonly startsMs: number
  readonly endsMs: number
}

export const periodKinds = ['day', 'month'] as const
export type PeriodKind = (typeof periodKinds)[number]

const hourMs = 3_600_000
/** Longer than any: days of 25 hours, and of the 26 that an island once had. */
const longestMs = { day: 27 * hourMs, month: 32 * 24 * hourMs } as const

/** Asks Intl once per period; then it is two comparisons. */
export class Calendar {
  /** Null for UTC, which needs none: making the first one of a process takes a tenth of its start. */
  readonly #format: Intl.DateTimeFormat | null
  readonly #periods: Record<PeriodKind, Period>

  constructor(timeZone: string) {
    const parts = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    this.#format = timeZone === 'UTC' ? null : new Intl.DateTimeFormat('en-CA', { timeZone, ...parts })
    this.#periods = { day: never, month: never }
  }

  period(kind: PeriodKind, wallMs: number): Period {
    const known = this.#periods[kind]
    if (wallMs >= known.startsMs && wallMs < known.endsMs) return known
    const label = this.#label(kind, wallMs)
    const isIn = (atMs: number) => this.#label(kind, atMs) === label
    const startsMs = border(wallMs - longestMs[kind], wallMs, isIn)
    const endsMs = border(wallMs, wallMs + longestMs[kind], (atMs) => !isIn(atMs))
    this.#periods[kind] = { label, startsMs, endsMs }
    return this.#periods[kind]
  }

  #label(kind: PeriodKind, wallMs: number): string {
    const day = this.#format?.format(wallMs) ?? new Date(wallMs).toISOString().slice(0, 10)
    return kind === 'day' ? day : day.slice(0, day.lastIndexOf('-'))
  }
}

const never: Period = { label: '', startsMs: 0, endsMs: 0 }

/** The first whole millisecond in (`fromMs`, `toMs`] that holds, when it does from somewhere on. */
function border(fromMs: number, toMs: number, holds: (atMs: number) => boolean): number {
  let before = Math.floor(fromMs)
  let after = Math.floor(toMs)
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (holds(middle)) after = middle
    else before = middle
  }
  return after
}
