/** What one request takes or gives back at one moment, written down for those who charge the same account. */
import type { Draw } from './allowance.ts'
import type { AccountChange, MinuteChange, PeriodChange } from './limit-records.ts'
import type { LimitName } from './limits.ts'
import type { PeriodUse } from './quota.ts'

interface Periods {
  readonly day: PeriodUse
  readonly month: PeriodUse
}

export class HeldChange implements AccountChange {
  readonly who: string
  readonly minute: Partial<Record<LimitName, MinuteChange>> = {}
  readonly periods: PeriodChange[] = []

  constructor(who: string) {
    this.who = who
  }

  /** Before it is taken, as what may be drawn changes by that. */
  takes(name: LimitName, amount: number, { room, owed, owedAtMs }: Draw): void {
    Object.assign(this.#of(name), { take: amount, draw: [room, owed, owedAtMs] })
  }

  took(name: LimitName, taken: number): void {
    this.#of(name).taken = taken
  }

  gave(name: LimitName, amount: number, takenAtMs: number): void {
    const change = this.#of(name)
    change.give = [...(change.give ?? []), [amount, takenAtMs]]
  }

  ended(name: LimitName, reserved: number, needed: number, heldMs: number): void {
    this.#of(name).ended = [reserved, needed, heldMs]
  }

  /** `isNew`: others may not have counted anything in these periods yet. */
  counted({ day, month }: Periods, requests: number, tokens: number, isNew: 0 | 1): void {
    this.periods.push(['day', day.label, day.endsMs, requests, tokens, isNew])
    this.periods.push(['month', month.label, month.endsMs, requests, tokens, isNew])
  }

  #of(name: LimitName): MinuteChange {
    this.minute[name] ??= {}
    return this.minute[name]
  }
}
