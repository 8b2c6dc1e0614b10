/** The last decisions, so that one can be asked why a request went where it did. */
import type { BalancingEvents, DecisionRecord } from './events.ts'

export class RecentDecisions {
  readonly #max: number
  readonly #kept: DecisionRecord[] = []
  #oldest = 0

  constructor(max: number) {
    this.#max = max
  }

  add(decision: DecisionRecord): void {
    if (this.#kept.length < this.#max) {
      this.#kept.push(decision)
      return
    }
    if (this.#max === 0) return
    this.#kept[this.#oldest] = decision
    this.#oldest = (this.#oldest + 1) % this.#max
  }

  /** As of its first step: what is decided while they are gone through moves none of them. */
  *newestFirst(): Generator<DecisionRecord, undefined> {
    const [kept, oldest] = [[...this.#kept], this.#oldest]
    for (let back = 1; back <= kept.length; back++) {
      const decision = kept[(oldest + kept.length - back) % kept.length]
      if (decision !== undefined) yield decision
    }
  }
}

/** The same events; each decision is kept, too. */
export function keptBy(recent: RecentDecisions, events: BalancingEvents): BalancingEvents {
  return {
    decided(decision) {
      recent.add(decision)
      events.decided(decision)
    },
    holdEnded: (at, result, ms) => events.holdEnded(at, result, ms),
  }
}
