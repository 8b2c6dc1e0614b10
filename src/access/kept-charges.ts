/** What one gateway charged to an account while the others could not be told: summed up, so that it takes little room. */
import type { AccountChange, MinuteChange, PeriodChange } from './limit-records.ts'
import { type LimitName, limitNames } from './limits.ts'
import { slotMs, windowMs } from './minute-charges.ts'

interface KeptMinute {
  /** Of what was taken, what has not been refilled since by this gateway's share; negative where more was given back. */
  owed: number
  atMs: number
  /** Amount and last time by slot. */
  readonly slots: Map<number, [number, number]>
}

export class KeptCharges {
  readonly #minute = new Map<LimitName, KeptMinute>()
  readonly #periods = new Map<string, PeriodChange>()

  get isEmpty(): boolean {
    return this.#minute.size === 0 && this.#periods.size === 0
  }

  /** `limitOf`: as this gateway keeps it by itself. */
  add(change: AccountChange, limitOf: (name: LimitName) => number, nowMs: number): void {
    for (const name of limitNames) {
      const of = change.minute[name]
      if (of === undefined) continue
      const kept = this.#minuteOf(name, nowMs)
      const refilled = ((nowMs - kept.atMs) * limitOf(name)) / windowMs
      if (kept.owed > 0) kept.owed = Math.max(0, kept.owed - refilled)
      kept.atMs = nowMs
      const taken = of.taken ?? of.take ?? 0
      if (taken > 0) charge(kept, taken, nowMs)
      for (const [amount, atMs] of of.give ?? []) charge(kept, -amount, atMs)
      keepAgain(kept, of)
      dropPast(kept, nowMs)
    }
    for (const period of change.periods) this.#count(period)
  }

  /** All of it; then there is nothing more. */
  taken(nowMs: number): AccountChange {
    const minute: Partial<Record<LimitName, MinuteChange>> = {}
    for (const [name, kept] of this.#minute) {
      dropPast(kept, nowMs)
      const charged = Array.from(kept.slots, ([slot, [amount, lastMs]]) => [slot, amount, lastMs] as const)
      minute[name] = { owed: Math.round(kept.owed), charged }
    }
    const periods = [...this.#periods.values()]
    this.#minute.clear()
    this.#periods.clear()
    return { who: '', minute, periods }
  }

  #minuteOf(name: LimitName, nowMs: number): KeptMinute {
    const known = this.#minute.get(name)
    if (known !== undefined) return known
    const made = { owed: 0, atMs: nowMs, slots: new Map() }
    this.#minute.set(name, made)
    return made
  }

  #count([kind, label, endsMs, requests, tokens, isNew]: PeriodChange): void {
    const id = `${kind} ${label}`
    const [, , , requestsBefore = 0, tokensBefore = 0, newBefore = 0] = this.#periods.get(id) ?? []
    const sum = [requestsBefore + requests, tokensBefore + tokens] as const
    this.#periods.set(id, [kind, label, endsMs, ...sum, isNew === 1 ? 1 : newBefore])
  }
}

function charge(kept: KeptMinute, amount: number, atMs: number): void {
  kept.owed += amount
  const slot = Math.floor(atMs / slotMs)
  const known = kept.slots.get(slot)
  if (known === undefined) kept.slots.set(slot, [amount, atMs])
  else {
    known[0] += amount
    known[1] = Math.max(known[1], atMs)
  }
}

/** What was kept before, and could not be told. */
function keepAgain(kept: KeptMinute, { owed = 0, charged = [] }: MinuteChange): void {
  for (const [, amount, lastMs] of charged) charge(kept, amount, lastMs)
  for (const [, amount] of charged) kept.owed -= amount
  kept.owed += owed
}

/** What is older than the window counts for nothing. */
function dropPast(kept: KeptMinute, nowMs: number): void {
  for (const slot of kept.slots.keys()) if ((slot + 1) * slotMs + windowMs <= nowMs) kept.slots.delete(slot)
}
