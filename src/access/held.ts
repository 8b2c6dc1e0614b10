/** What one request holds of one account: charged when it is admitted, added to while it runs, put right at its end. */
import type { Allowance, Draw } from './allowance.ts'
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

interface HeldParts {
  readonly minute: readonly MinuteLimit[]
  readonly periods: readonly PeriodUse[]
  readonly who: string
  readonly onEnd: () => void
}

export const noCost: Cost = { requests: 0, input: 0, output: 0 }

export class Held {
  readonly #parts: HeldParts
  readonly #sinceMs: number
  /** By limit. */
  readonly #draws: readonly Draw[]
  readonly #charges: Charge[] = []
  #cost = noCost

  constructor(parts: HeldParts, nowMs: number) {
    this.#parts = parts
    this.#sinceMs = nowMs
    this.#draws = parts.minute.map(({ allowance }) => allowance.draw(nowMs))
  }

  add(cost: Cost, nowMs: number): void {
    const taken = this.#draws.map((draw, i) => {
      const limit = this.#parts.minute[i]
      return limit === undefined ? 0 : limit.allowance.take(limit.amountOf(cost), nowMs, draw)
    })
    this.#charges.push({ atMs: nowMs, taken })
    this.#count(cost, 1)
    const { requests, input, output } = this.#cost
    this.#cost = { requests: requests + cost.requests, input: input + cost.input, output: output + cost.output }
  }

  /**
   * What the request really cost: the rest is given back, what is missing charged. `needed`: of what was reserved, what
   * there was use for, which may cost less; null where it is not its owner's doing.
   */
  settle(cost: Cost, needed: Cost | null, nowMs: number): void {
    const { minute, who, onEnd } = this.#parts
    this.#count(this.#cost, -1)
    this.#count(cost, 1)
    for (const [i, { amountOf, allowance }] of minute.entries()) {
      const more = amountOf(cost) - amountOf(this.#cost)
      const draw = this.#draws[i]
      if (more > 0 && draw !== undefined) allowance.take(more, nowMs, draw)
      else if (more < 0) this.#giveBack(i, allowance, amountOf(cost), nowMs)
      if (needed === null) continue
      const reserved = this.#charges.reduce((sum, { taken }) => sum + (taken[i] ?? 0), 0)
      allowance.ended({ reserved, needed: amountOf(needed), heldMs: nowMs - this.#sinceMs }, who, nowMs)
    }
    onEnd()
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
    for (const period of this.#parts.periods) {
      period.requests += sign * cost.requests
      period.tokens += sign * (cost.input + cost.output)
    }
  }
}
