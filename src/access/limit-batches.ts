/** Writes down for the store of limits what is asked, was charged and is held, and numbers it. */
import type { Clock } from '../base/clock.ts'
import { type PeriodKind, periodKinds } from './calendar.ts'
import type { Cost } from './held.ts'
import type { AccountChange, MinuteChange, PeriodChange } from './limit-records.ts'
import { limitNames } from './limits.ts'
import type { SharedAccount } from './shared-account.ts'
import type { AskAnswer, AskWish, LimitBatch, PeriodTold } from './shared-limits.ts'

export interface LaneAsk extends Omit<AskWish, 'accounts' | 'cost' | 'day' | 'month'> {
  /** Its own, and that of its team. */
  readonly of: readonly SharedAccount[]
  readonly cost: Cost
  /** Whether it still wants an answer; else it has seen to itself. */
  isStill(): boolean
  /** Null where nobody can tell. */
  answered(answer: AskAnswer | null): void
}

export interface Changed {
  readonly of: SharedAccount
  readonly change: AccountChange
  /** It was charged when this gateway decided by itself already. */
  readonly isAfterBase: boolean
}

export interface Sent {
  readonly batch: LimitBatch
  /** As in the batch. */
  readonly of: readonly SharedAccount[]
  readonly asks: readonly LaneAsk[]
  readonly changes: readonly Changed[]
  /** Its oldest ask waits since then. */
  readonly sinceMs: number
}

interface ToSend {
  readonly asks: readonly { readonly ask: LaneAsk; readonly sinceMs: number }[]
  readonly changes: readonly Changed[]
  /** Others may lack something of them. */
  readonly tells: readonly SharedAccount[]
  readonly isSettling?: boolean
}

export class LimitBatches {
  readonly #id: string
  readonly #clock: Clock
  #seq = 0

  constructor(id: string, clock: Clock) {
    this.#id = id
    this.#clock = clock
  }

  /** Null where there is nothing to say. */
  next({ asks, changes, tells, isSettling = false }: ToSend): Sent | null {
    const places = new Map<SharedAccount, number>()
    const at = (one: SharedAccount): number => {
      const known = places.get(one) ?? places.size + 1
      places.set(one, known)
      return known
    }
    const wishes = asks.map(({ ask }) => this.#wishOf(ask, ask.of.map(at)))
    for (const { of } of changes) at(of)
    for (const one of tells) if (one.isToTell) at(one)
    if (places.size === 0) return null
    const of = [...places.keys()]
    const all = [...of.flatMap(keptOf), ...changes]
    const batch = {
      id: this.#id,
      seq: ++this.#seq,
      accounts: of.map((one) => one.wish()),
      changes: all.map(({ of: one, change }) => ({ ...change, account: at(one) })),
      asks: wishes,
      ...(isSettling ? { tells: true as const } : {}),
    }
    const sinceMs = asks[0]?.sinceMs ?? this.#clock.now()
    return { batch, of, asks: asks.map(({ ask }) => ask), changes: all, sinceMs }
  }

  #wishOf(ask: LaneAsk, accounts: readonly number[]): AskWish {
    const { who, cost, patience, class: ofClass, newcomer, placed, looks, of } = ask
    const { requests, input, output } = cost
    return {
      accounts,
      who,
      cost: [requests, input, output],
      day: this.#told('day', of),
      month: this.#told('month', of),
      patience,
      class: ofClass,
      ...(newcomer && { newcomer }),
      ...(placed && { placed }),
      ...(looks && { looks }),
    }
  }

  #told(kind: PeriodKind, [own]: readonly SharedAccount[]): PeriodTold {
    const { label = '', endsMs = 0 } = own?.account.periodOf(kind, this.#clock.wallMs()) ?? {}
    return [label, endsMs]
  }
}

function keptOf(of: SharedAccount): readonly Changed[] {
  const change = of.takeKept()
  return change === null ? [] : [{ of, change, isAfterBase: true }]
}

/** What takes back all that an ask was charged. */
export function undone(
  { of, who, cost }: LaneAsk,
  held: NonNullable<AskAnswer['held']>,
  wallMs: number,
): { readonly of: SharedAccount; readonly change: AccountChange }[] {
  return of.map((one, i) => {
    const minute: Partial<Record<(typeof limitNames)[number], MinuteChange>> = {}
    for (const name of limitNames) {
      const [, , atMs, taken] = held[i]?.[name] ?? []
      if (atMs !== undefined && taken !== undefined) minute[name] = { give: [[taken, atMs]] }
    }
    const periods = periodKinds.map((kind): PeriodChange => {
      const { label, endsMs } = one.account.periodOf(kind, wallMs)
      return [kind, label, endsMs, -cost.requests, -cost.input - cost.output, 0]
    })
    return { of: one, change: { who, minute, periods } }
  })
}
