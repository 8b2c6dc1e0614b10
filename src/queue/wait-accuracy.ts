/** How good the estimates are that requests were told when they began to wait: the last of those whose wait has ended. */

interface Told {
  readonly p50Ms: number
  readonly p90Ms: number
  /** At the least, where it was given up, which was later than `p90Ms` then. */
  readonly waitMs: number
}

export interface Accuracy {
  readonly waits: number
  /** Share of waits that were no longer than their p90; null without any. */
  readonly withinP90: number | null
  /** Share of waits that were at least half and at most twice their p50; null without any. */
  readonly nearP50: number | null
}

const kept = 1_000

export class WaitAccuracy {
  readonly #last: { readonly isWithinP90: boolean; readonly isNearP50: boolean }[] = []
  #oldestAt = 0

  add({ p50Ms, p90Ms, waitMs }: Told): void {
    const isNearP50 = waitMs >= p50Ms / 2 && waitMs <= p50Ms * 2
    this.#last[this.#oldestAt] = { isWithinP90: waitMs <= p90Ms, isNearP50 }
    this.#oldestAt = (this.#oldestAt + 1) % kept
  }

  get(): Accuracy {
    const waits = this.#last.length
    const shareOf = (count: number): number | null => (waits === 0 ? null : count / waits)
    return {
      waits,
      withinP90: shareOf(this.#last.filter(({ isWithinP90 }) => isWithinP90).length),
      nearP50: shareOf(this.#last.filter(({ isNearP50 }) => isNearP50).length),
    }
  }
}
