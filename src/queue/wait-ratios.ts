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

  add(kind: Kind, ratio: number): void {
    const { flow, all } = idsOf(kind)
    lastOf(this.#ofFlows, flow, keptOfFlow).add(ratio)
    lastOf(this.#ofAll, all, keptOfAll).add(ratio)
  }

  of(kind: Kind): Quantiles {
    const { flow, all } = idsOf(kind)
    const usual = positions.find(({ below }) => kind.position < below)?.usual ?? { p50: 1, p90: 2 }
    const ofAll = this.#ofAll.get(all)?.mixedWith(usual) ?? usual
    return this.#ofFlows.get(flow)?.mixedWith(ofAll) ?? ofAll
  }
}

/** The last ratios of one kind. */
class LastRatios {
  readonly #kept: number
  readonly #ratios: number[] = []
  #oldestAt = 0
  #sorted: readonly number[] = []
  #unsorted = 0

  constructor(kept: number) {
    this.#kept = kept
  }

  add(ratio: number): void {
    this.#ratios[this.#oldestAt] = ratio
    this.#oldestAt = (this.#oldestAt + 1) % this.#kept
    this.#unsorted++
  }

  /** What is known of more counts for what is missing here. */
  mixedWith(broader: Quantiles): Quantiles {
    // A few more or less of very many change little.
    if (this.#unsorted > this.#ratios.length / 20) {
      this.#sorted = this.#ratios.toSorted((a, b) => a - b)
      this.#unsorted = 0
    }
    const known = Math.min(1, this.#sorted.length / enough)
    return {
      p50: broader.p50 + known * (this.#quantile(0.5) - broader.p50),
      p90: broader.p90 + known * (this.#quantile(0.9) - broader.p90),
    }
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
