/** What one request holds of one account: charged when it is admitted, added to while it runs, put right at its end. */
import type { Allowance, Draw } from './allowance.ts'
import type { AccountChange, MinuteChange, PeriodChange } from './limit-records.ts'
import type { LimitName } from './limits.ts'
import type { PeriodUse } from './quota.ts'
import type { HeldTold } from './shared-limits.ts'

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
  /** Of requests at once, it is one. */
  readonly running: { ended(): void }
  /** Null where it is charged here alone. */
  readonly sink: ChargeSink | null
}

/** Hears what is charged here, so that others charge it too. */
export interface ChargeSink {
  /** This gateway keeps a share of the limits by itself just now. */
  readonly isApart: boolean
  /** Something is charged now. */
  willChange(): void
  changed(change: AccountChange): void
}

/** What was charged where all gateways charge together. */
export interface ToldCharge {
  readonly cost: Cost
  readonly held: Readonly<Partial<Record<LimitName, HeldTold>>>
}

export const noCost: Cost = { requests: 0, input: 0, output: 0 }
const noCharges: readonly Charge[] = []

export class Held {
  readonly #parts: HeldParts
  readonly #sinceMs: number
  /** By limit. */
  readonly #draws: readonly Draw[]
  readonly #isTold: boolean
  #charges = noCharges
  #cost = noCost

  /** `told`: charged already, to the account as it is now. */
  constructor(parts: HeldParts, nowMs: number, told: ToldCharge | null = null) {
    this.#parts = parts
    this.#sinceMs = nowMs
    this.#isTold = told !== null
    this.#draws = parts.minute.map(({ name, allowance }) => drawOf(told?.held[name]) ?? allowance.draw(nowMs))
    if (told === null) return
    const atMs = Object.values(told.held)[0]?.[2] ?? nowMs
    this.#charges = [{ atMs, taken: parts.minute.map(({ name }) => told.held[name]?.[3] ?? 0) }]
    this.#cost = told.cost
  }

  add(cost: Cost, nowMs: number): void {
    const { sink } = this.#parts
    sink?.willChange()
    const drawn = sink === null ? [] : this.#draws.map(({ room, owed, owedAtMs }) => [room, owed, owedAtMs] as const)
    const charge = { atMs: nowMs, taken: this.#draws.map((draw, i) => this.#take(i, cost, draw, nowMs)) }
    this.#count(cost, 1)
    sink?.changed(this.#addition(cost, charge.taken, drawn))
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
    const { minute, who, running } = this.#parts
    this.#parts.sink?.willChange()
    this.#count(this.#cost, -1)
    this.#count(cost, 1)
    const changes: Partial<Record<LimitName, MinuteChange>> = {}
    for (let i = 0; i < minute.length; i++) {
      const limit = minute[i]
      if (limit === undefined) continue
      const change = this.#settled(i, limit, cost, nowMs)
      changes[limit.name] = change
      const { amountOf, allowance } = limit
      if (needed === null || !allowance.isShared) continue
      const ended = { reserved: this.#takenOf(i), needed: amountOf(needed), heldMs: nowMs - this.#sinceMs }
      allowance.ended(ended, who, nowMs)
      change.ended = [ended.reserved, ended.needed, ended.heldMs]
    }
    running.ended()
    this.#parts.sink?.changed({ who, minute: changes, periods: this.#periods(minusOf(cost, this.#cost), 0) })
  }

  /** Of one limit, what it really cost: the rest is given back, what is missing taken. */
  #settled(i: number, { amountOf, allowance }: MinuteLimit, cost: Cost, nowMs: number): MinuteChange {
    const more = amountOf(cost) - amountOf(this.#cost)
    const draw = this.#draws[i]
    if (more > 0 && draw !== undefined) {
      const drawn = [draw.room, draw.owed, draw.owedAtMs] as const
      return { take: more, draw: drawn, taken: allowance.take(more, nowMs, draw) }
    }
    if (more >= 0) return {}
    const give = this.#backOf(i, amountOf(cost), nowMs)
    // Of what all have taken this gateway's share has only a part.
    const isElsewhere = this.#isTold && this.#parts.sink?.isApart === true
    if (!isElsewhere) for (const [amount, takenAtMs] of give) allowance.give(amount, takenAtMs, nowMs)
    return { give }
  }

  #addition(
    cost: Cost,
    taken: readonly number[],
    drawn: readonly (readonly [number, number, number])[],
  ): AccountChange {
    const minute: Partial<Record<LimitName, MinuteChange>> = {}
    for (const [i, { name, amountOf }] of this.#parts.minute.entries()) {
      const draw = drawn[i]
      if (draw !== undefined) minute[name] = { take: amountOf(cost), taken: taken[i] ?? 0, draw }
    }
    return { who: this.#parts.who, minute, periods: this.#periods(cost, 1) }
  }

  #periods({ requests, input, output }: Cost, isNew: 0 | 1): PeriodChange[] {
    const { day, month } = this.#parts
    const tokens = input + output
    return [
      ['day', day.label, day.endsMs, requests, tokens, isNew],
      ['month', month.label, month.endsMs, requests, tokens, isNew],
    ]
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
  #backOf(limit: number, used: number, nowMs: number): [number, number][] {
    const list: [number, number][] = []
    let back = this.#takenOf(limit) - used
    for (let at = this.#charges.length - 1; at >= 0 && back > 0; at--) {
      const charge = this.#charges[at]
      const part = Math.min(back, charge?.taken[limit] ?? 0)
      list.push([part, charge?.atMs ?? nowMs])
      back -= part
    }
    return list
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

function drawOf(told: HeldTold | undefined): Draw | null {
  return told === undefined ? null : { room: Number(told[0]), owed: Number(told[1]), owedAtMs: told[2] }
}

function minusOf(a: Cost, b: Cost): Cost {
  return { requests: a.requests - b.requests, input: a.input - b.input, output: a.output - b.output }
}

function sumOf(a: Cost, b: Cost): Cost {
  return { requests: a.requests + b.requests, input: a.input + b.input, output: a.output + b.output }
}
