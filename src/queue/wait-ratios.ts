/** How much longer waits were than was reckoned: the last of each kind, and what half and nine tenths of them stayed below. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { RequestClass } from '../base/request-class.ts'

interface Kind {
  /** Whose it is. */
  readonly flow: string
  readonly model: string
  readonly class: RequestClass
  /** How many were before it. */
  readonly position: number
}

interface Quantiles {
  readonly p50: number
  readonly p90: number
}

const kindsMax = 2_000
/** Of one flow, and of all together. */
const keptOfFlow = 40
const keptOfAll = 200
/** What is older is forgotten: one odd quarter of an hour must not be believed for ever. */
const memoryMs = 900_000
const sortedMsMax = 60_000
/** Until there are so many of a kind, what is known of more counts as well. */
const enough = 20
/** The next free slot may come at any time; the more are ahead, the more evens out, and the more newcomers pass. */
const positions: readonly { readonly below: number; readonly usual: Quantiles }[] = [
  { below: 1, usual: { p50: 0.8, p90: 2.5 } },
  { below: 4, usual: { p50: 1, p90: 2.2 } },
  { below: 16, usual: { p50: 1.1, p90: 2 } },
  { below: Number.POSITIVE_INFINITY, usual: { p50: 1.2, p90: 2 } },
]

export class WaitRatios {
  readonly #ofFlows = new BoundedMap<string, LastRatios>(kindsMax)
  readonly #ofAll = new BoundedMap<string, LastRatios>(kindsMax)

  add(kind: Kind, ratio: number, nowMs: number): void {
    const { flow, all } = idsOf(kind)
    lastOf(this.#ofFlows, flow, keptOfFlow).add(ratio, nowMs)
    lastOf(this.#ofAll, all, keptOfAll).add(ratio, nowMs)
  }

  of(kind: Kind, nowMs: number): Quantiles {
    const { flow, all } = idsOf(kind)
    const usual = positions.find(({ below }) => kind.position < below)?.usual ?? { p50: 1, p90: 2 }
    const ofAll = this.#ofAll.get(all)?.mixedWith(usual, nowMs) ?? usual
    return this.#ofFlows.get(flow)?.mixedWith(ofAll, nowMs) ?? ofAll
  }
}

/** The last ratios of one kind. */
class LastRatios {
  readonly #kept: number
  readonly #last: { readonly ratio: number; readonly atMs: number }[] = []
  #oldestAt = 0
  #sorted: readonly number[] = []
  #unsorted = 0
  #sortedAtMs = 0

  constructor(kept: number) {
    this.#kept = kept
  }

  add(ratio: number, atMs: number): void {
    this.#last[this.#oldestAt] = { ratio, atMs }
    this.#oldestAt = (this.#oldestAt + 1) % this.#kept
    this.#unsorted++
  }

  /** What is known of more counts for what is missing here. */
  mixedWith(broader: Quantiles, nowMs: number): Quantiles {
    // A few more or less of very many change little.
    if (this.#unsorted > this.#last.length / 20 || nowMs - this.#sortedAtMs > sortedMsMax) this.#sort(nowMs)
    const known = Math.min(1, this.#sorted.length / enough)
    return {
      p50: broader.p50 + known * (this.#quantile(0.5) - broader.p50),
      p90: broader.p90 + known * (this.#quantile(0.9) - broader.p90),
    }
  }

  #sort(nowMs: number): void {
    const young = this.#last.filter(({ atMs }) => nowMs - atMs < memoryMs)
    this.#sorted = young.map(({ ratio }) => ratio).toSorted((a, b) => a - b)
    this.#unsorted = 0
    this.#sortedAtMs = nowMs
  }

  #quantile(share: number): number {
    const sorted = this.#sorted
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 1
  }
}

function lastOf(map: BoundedMap<string, LastRatios>, id: string, kept: number): LastRatios {
  const known = map.get(id) ?? new LastRatios(kept)
  map.set(id, known)
  return known
}

function idsOf({ flow, model, class: ofClass, position }: Kind): { readonly flow: string; readonly all: string } {
  const all = `${positions.findIndex(({ below }) => position < below)} ${ofClass} ${model}`
  return { flow: `${flow} ${all}`, all }
}
