/** What one request holds of one account: charged when it is admitted, added to while it runs, put right at its end. */
import type { Allowance, Draw } from './allowance.ts'
import { HeldChange } from './held-change.ts'
import type { AccountChange } from './limit-records.ts'
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

interface Moment {
  readonly nowMs: number
  /** What others are told of it. */
  readonly change: HeldChange | null
}

export const noCost: Cost = { requests: 0, input: 0, output: 0 }
const noCharges: readonly Charge[] = []
const noAmounts: readonly number[] = []

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
    this.#draws = parts.minute.map(
      ({ name, allowance }) => (told === null ? null : drawOf(told.held[name])) ?? allowance.draw(nowMs),
    )
    if (told === null) return
    const atMs = Object.values(told.held)[0]?.[2] ?? nowMs
    this.#charges = [{ atMs, taken: parts.minute.map(({ name }) => told.held[name]?.[3] ?? 0) }]
    this.#cost = told.cost
  }

  add(cost: Cost, nowMs: number): void {
    const change = this.#begun()
    const charge = { atMs: nowMs, taken: this.#draws.map((draw, i) => this.#take(i, cost, draw, { nowMs, change })) }
    this.#count(cost, 1)
    change?.counted(this.#parts, cost.requests, cost.input + cost.output, 1)
    if (change !== null) this.#parts.sink?.changed(change)
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
    const change = this.#begun()
    const before = this.#cost
    this.#count(before, -1)
    this.#count(cost, 1)
    for (let i = 0; i < minute.length; i++) {
      const limit = minute[i]
      if (limit === undefined) continue
      const { name, amountOf, allowance } = limit
      this.#settleOne(i, limit, cost, { nowMs, change })
      if (needed === null || !allowance.isShared) continue
      const ended = { reserved: this.#takenOf(i), needed: amountOf(needed), heldMs: nowMs - this.#sinceMs }
      allowance.ended(ended, who, nowMs)
      change?.ended(name, ended.reserved, ended.needed, ended.heldMs)
    }
    running.ended()
    if (change === null) return
    const tokens = cost.input + cost.output - before.input - before.output
    change.counted(this.#parts, cost.requests - before.requests, tokens, 0)
    this.#parts.sink?.changed(change)
  }

  /** Null where nobody else is to be told. */
  #begun(): HeldChange | null {
    const { sink, who } = this.#parts
    if (sink === null) return null
    sink.willChange()
    return new HeldChange(who)
  }

  /** Of one limit, what it really cost: the rest is given back, what is missing taken. */
  #settleOne(i: number, limit: MinuteLimit, cost: Cost, moment: Moment): void {
    const more = limit.amountOf(cost) - limit.amountOf(this.#cost)
    const draw = this.#draws[i]
    if (more > 0 && draw !== undefined) takeOf(limit, more, draw, moment)
    else if (more < 0) this.#giveBack(i, limit, cost, moment)
  }

  #take(limit: number, cost: Cost, draw: Draw, moment: Moment): number {
    const of = this.#parts.minute[limit]
    return of === undefined ? 0 : takeOf(of, of.amountOf(cost), draw, moment)
  }

  #takenOf(limit: number): number {
    let sum = 0
    for (const { taken } of this.#charges) sum += taken[limit] ?? 0
    return sum
  }

  /** The latest charges first, down to what was used. */
  #giveBack(limit: number, { name, amountOf, allowance }: MinuteLimit, cost: Cost, { nowMs, change }: Moment): void {
    // Of what all have taken this gateway's share has only a part.
    const isElsewhere = this.#isTold && this.#parts.sink?.isApart === true
    let back = this.#takenOf(limit) - amountOf(cost)
    for (let at = this.#charges.length - 1; at >= 0 && back > 0; at--) {
      const { atMs = nowMs, taken = noAmounts } = this.#charges[at] ?? {}
      const part = Math.min(back, taken[limit] ?? 0)
      if (!isElsewhere) allowance.give(part, atMs, nowMs)
      change?.gave(name, part, atMs)
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

function drawOf(told: HeldTold | undefined): Draw | null {
  return told === undefined ? null : { room: Number(told[0]), owed: Number(told[1]), owedAtMs: told[2] }
}

function takeOf({ name, allowance }: MinuteLimit, amount: number, draw: Draw, { nowMs, change }: Moment): number {
  change?.takes(name, amount, draw)
  const taken = allowance.take(amount, nowMs, draw)
  change?.took(name, taken)
  return taken
}

function sumOf(a: Cost, b: Cost): Cost {
  return { requests: a.requests + b.requests, input: a.input + b.input, output: a.output + b.output }
}
