/** How much longer waits were than was reckoned: the last of each kind, and what half and nine tenths of them stayed below. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { RequestClass } from '../base/request-class.ts'

interface Kind {
  readonly model: string
  readonly class: RequestClass
  /** How many were before it. */
  readonly position: number
}

interface Ratios {
  readonly last: number[]
  oldestAt: number
  sorted: readonly number[] | null
}

const kindsMax = 4_000
const kept = 200
/** Until there are so many of a kind, what is usual counts as well. */
const enough = 20
/** The next free slot may come at any time; the more are ahead, the more evens out, and the more newcomers pass. */
const positions = [
  { below: 1, usual: { p50: 0.8, p90: 2.5 } },
  { below: 4, usual: { p50: 1, p90: 2.2 } },
  { below: 16, usual: { p50: 1.1, p90: 2 } },
  { below: Number.POSITIVE_INFINITY, usual: { p50: 1.2, p90: 2 } },
] as const

export class WaitRatios {
  readonly #kinds = new BoundedMap<string, Ratios>(kindsMax)

  add(kind: Kind, ratio: number): void {
    const id = idOf(kind)
    const ratios = this.#kinds.get(id) ?? { last: [], oldestAt: 0, sorted: null }
    ratios.last[ratios.oldestAt] = ratio
    ratios.oldestAt = (ratios.oldestAt + 1) % kept
    ratios.sorted = null
    this.#kinds.set(id, ratios)
  }

  of(kind: Kind): { readonly p50: number; readonly p90: number } {
    const { usual } = bandOf(kind.position)
    const ratios = this.#kinds.get(idOf(kind))
    if (ratios === undefined) return usual
    ratios.sorted ??= ratios.last.toSorted((a, b) => a - b)
    const known = Math.min(1, ratios.sorted.length / enough)
    const mixed = (share: number, before: number): number => {
      const measured =
        ratios.sorted?.[Math.min(ratios.last.length - 1, Math.floor(share * ratios.last.length))] ?? before
      return before + known * (measured - before)
    }
    return { p50: mixed(0.5, usual.p50), p90: mixed(0.9, usual.p90) }
  }
}

function bandOf(position: number): (typeof positions)[number] {
  return positions.find(({ below }) => position < below) ?? positions[positions.length - 1] ?? positions[0]
}

function idOf({ model, class: ofClass, position }: Kind): string {
  return `${bandOf(position).below} ${ofClass} ${model}`
}
