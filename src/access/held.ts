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
  /** As they were when it was admitted. */
  readonly minute: readonly MinuteLimit[]
  readonly day: PeriodUse
  readonly month: PeriodUse
  readonly who: string
  /** Of requests at once, where it has one. */
  readonly places: { leavePlace(): void }
}

export const noCost: Cost = { requests: 0, input: 0, output: 0 }
const noCharges: readonly Charge[] = []

export class Held {
  readonly #parts: HeldParts
  readonly #sinceMs: number
  /** By limit. */
  readonly #draws: readonly Draw[]
  #charges = noCharges
  #cost = noCost

  constructor(parts: HeldParts, nowMs: number) {
    this.#parts = parts
    this.#sinceMs = nowMs
    this.#draws = parts.minute.map(({ allowance }) => allowance.draw(nowMs))
  }

  add(cost: Cost, nowMs: number): void {
    const charge = { atMs: nowMs, taken: this.#draws.map((draw, i) => this.#take(i, cost, draw, nowMs)) }
    this.#count(cost, 1)
    // Most requests are charged once before their end.
    const isFirst = this.#cost === noCost
    this.#charges = isFirst ? [charge] : [...this.#charges, charge]
    this.#cost = isFirst ? cost : sumOf(this.#cost, cost)
  }

  /**
   * What the request really cost: the rest is given back, what is missing charged. `needed`: of what was reserved, what
   * there was use for, which may cost less; null where it is not its owner's doing.
   */
  settle(cost: Cost, needed: Cost | null, nowMs: number): void {
    const { minute, who, places } = this.#parts
    this.#count(this.#cost, -1)
    this.#count(cost, 1)
    for (let i = 0; i < minute.length; i++) {
      const limit = minute[i]
      if (limit === undefined) continue
      const { amountOf, allowance } = limit
      const more = amountOf(cost) - amountOf(this.#cost)
      const draw = this.#draws[i]
      if (more > 0 && draw !== undefined) allowance.take(more, nowMs, draw)
      else if (more < 0) this.#giveBack(i, allowance, amountOf(cost), nowMs)
      if (needed === null || !allowance.isShared) continue
      const ended = { reserved: this.#takenOf(i), needed: amountOf(needed), heldMs: nowMs - this.#sinceMs }
      allowance.ended(ended, who, nowMs)
    }
    places.leavePlace()
  }

  #take(limit: number, cost: Cost, draw: Draw, nowMs: number): number {
    const of = this.#parts.minute[limit]
    return of === undefined ? 0 : of.allowance.take(of.amountOf(cost), nowMs, draw)
  }

  #takenOf(limit: number): number {
    let sum = 0
    for (const { taken } of this.#charges) sum += taken[limit] ?? 0
    return sum
  }

  /** The latest charges first, down to what was used. */
  #giveBack(limit: number, allowance: Allowance, used: number, nowMs: number): void {
    let back = this.#takenOf(limit) - used
    for (let at = this.#charges.length - 1; at >= 0 && back > 0; at--) {
      const charge = this.#charges[at]
      const part = Math.min(back, charge?.taken[limit] ?? 0)
      allowance.give(part, charge?.atMs ?? nowMs, nowMs)
      back -= part
    }
  }

  #count(cost: Cost, sign: 1 | -1): void {
    addTo(this.#parts.day, cost, sign)
    addTo(this.#parts.month, cost, sign)
  }
}

function addTo(period: PeriodUse, { requests, input, output }: Cost, sign: 1 | -1): void {
  period.requests += sign * requests
  period.tokens += sign * (input + output)
}

function sumOf(a: Cost, b: Cost): Cost {
  return { requests: a.requests + b.requests, input: a.input + b.input, output: a.output + b.output }
}
