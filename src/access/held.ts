/** What one request holds of one account: charged when it is admitted, added to while it runs, put right at its end. */
import type { Allowance } from './allowance.ts'
import type { LimitName } from './limits.ts'
import type { PeriodUse } from './quota.ts'

/** What a request takes of limits: whole numbers. */
export interface Cost {
  readonly requests: number
  readonly input: number
  readonly output: number
}

export interface MinuteLimit {
  readonly name: LimitName
  readonly amountOf: (cost: Cost) => number
  readonly allowance: Allowance
}

interface Charge {
  readonly atMs: number
  /** By limit: what was really taken, which a clamped debt makes less. */
  readonly taken: readonly number[]
}

export class Held {
  readonly #minute: readonly MinuteLimit[]
  readonly #periods: readonly PeriodUse[]
  readonly #ended: () => void
  readonly #charges: Charge[] = []
  #cost: Cost = { requests: 0, input: 0, output: 0 }

  constructor(minute: readonly MinuteLimit[], periods: readonly PeriodUse[], ended: () => void) {
    this.#minute = minute
    this.#periods = periods
    this.#ended = ended
  }

  add(cost: Cost, nowMs: number): void {
    const taken = this.#minute.map(({ amountOf, allowance }) => allowance.take(amountOf(cost), nowMs))
    this.#charges.push({ atMs: nowMs, taken })
    this.#count(cost, 1)
    const { requests, input, output } = this.#cost
    this.#cost = { requests: requests + cost.requests, input: input + cost.input, output: output + cost.output }
  }

  /** What the request really cost: the rest is given back, what is missing charged. */
  settle(cost: Cost, nowMs: number): void {
    this.#count(this.#cost, -1)
    this.#count(cost, 1)
    for (const [i, { amountOf, allowance }] of this.#minute.entries()) {
      const more = amountOf(cost) - amountOf(this.#cost)
      if (more > 0) allowance.take(more, nowMs)
      else if (more < 0) this.#giveBack(i, allowance, amountOf(cost), nowMs)
    }
    this.#ended()
  }

  /** The latest charges first, down to what was used. */
  #giveBack(limit: number, allowance: Allowance, used: number, nowMs: number): void {
    let back = -used
    for (const { taken } of this.#charges) back += taken[limit] ?? 0
    for (const { atMs, taken } of this.#charges.toReversed()) {
      if (back <= 0) return
      const part = Math.min(back, taken[limit] ?? 0)
      allowance.give(part, atMs, nowMs)
      back -= part
    }
  }

  #count(cost: Cost, sign: 1 | -1): void {
    for (const period of this.#periods) {
      period.requests += sign * cost.requests
      period.tokens += sign * (cost.input + cost.output)
    }
  }
}
