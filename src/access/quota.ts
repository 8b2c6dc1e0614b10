/** What an account used in calendar days and months, counted always, so that a limit may be set in the middle of one. */
import type { Period } from './calendar.ts'
import type { PeriodRecord } from './limit-records.ts'

/** Spent and reserved together: a reservation is a charge that may be given back. */
export interface PeriodUse {
  readonly label: string
  readonly endsMs: number
  requests: number
  tokens: number
}

/** Of one kind of period: the one that runs and the one before, which a clock that is set back brings again. */
export class PeriodCounts {
  #newest: PeriodUse | null = null
  #other: PeriodUse | null = null

  /** Counters that stay the request's own, also when the period has ended before it. */
  during(period: Period): PeriodUse {
    if (this.#newest?.label === period.label) return this.#newest
    const known = this.#other?.label === period.label ? this.#other : null
    this.#other = this.#newest
    this.#newest = known ?? { label: period.label, endsMs: period.endsMs, requests: 0, tokens: 0 }
    return this.#newest
  }

  /** The newest first. */
  written(): PeriodRecord[] {
    return [this.#newest, this.#other]
      .filter((use) => use !== null)
      .map(({ label, endsMs, requests, tokens }) => [label, endsMs, requests, tokens])
  }

  /** In place of what was counted here; requests that run go on counting where they did. */
  read(records: readonly PeriodRecord[]): void {
    const known = [this.#newest, this.#other]
    const [newest = null, other = null] = records.map(([label, endsMs, requests, tokens]) => {
      const use = known.find((one) => one?.label === label) ?? { label, endsMs, requests, tokens }
      return Object.assign(use, { requests, tokens })
    })
    this.#newest = newest
    this.#other = other
  }

  /** To the period of that label, as long as it is known. */
  add(label: string, requests: number, tokens: number): void {
    const use = [this.#newest, this.#other].find((one) => one?.label === label)
    if (use === null || use === undefined) return
    use.requests += requests
    use.tokens += tokens
  }

  /** Nothing that still counts would be lost if it were forgotten. */
  isUnusedAt(wallMs: number): boolean {
    return isOver(this.#newest, wallMs) && isOver(this.#other, wallMs)
  }
}

/** Whether a budget has room; what is larger than the whole of it is let through alone. */
export function fitsBudget(used: number, cost: number, budget: number): boolean {
  return cost === 0 || used === 0 || used + cost <= budget
}

function isOver(use: PeriodUse | null, wallMs: number): boolean {
  // A day longer, in case the clock is set back.
  return use === null || (use.requests === 0 && use.tokens === 0) || wallMs >= use.endsMs + 86_400_000
}
