/** Who waits for what no host of the fleet has any more: looked for when hosts have left, or names lead elsewhere. */
import type { GatewayError } from '../base/errors.ts'
import type { Lane } from './lane.ts'
import type { Line } from './line.ts'
import type { Waiter } from './waiter.ts'

export interface StrandedParts {
  readonly line: Line
  /** A host has come that was not asked yet what it has. */
  readonly isOneUnknown: () => boolean
  readonly refuse: (waiter: Waiter, error: GatewayError) => void
}

export class Stranded {
  readonly #parts: StrandedParts
  /** Lanes that nobody serves just now, and of which it cannot be told yet: a host that has just come may have what they want. */
  #doubtful: ReadonlySet<Lane> = new Set()

  constructor(parts: StrandedParts) {
    this.#parts = parts
  }

  /** To be called after each such change. */
  look(): void {
    this.#lookAt(this.#parts.line.lanes())
  }

  /** To be called whenever a host was found to have something. */
  lookAgain(): void {
    if (this.#doubtful.size > 0) this.#lookAt(this.#doubtful)
  }

  /** Hosts have other contexts: these have come of others, and may fit nowhere any more. */
  regrouped(lanes: Iterable<Lane>): void {
    const known = [...lanes].filter(({ route }) => route.contexts !== '')
    this.#doubtful = new Set([...this.#doubtful, ...known])
  }

  #lookAt(lanes: Iterable<Lane>): void {
    const { line, isOneUnknown, refuse } = this.#parts
    const waitsForOne = isOneUnknown()
    const gone = new Set<Lane>()
    const doubtful = new Set<Lane>()
    for (const lane of lanes) {
      if (lane.waiting === 0) continue
      const error = lane.route.gone(lane.excluded)
      if (error !== null && !waitsForOne) gone.add(lane)
      else if (lane.route.candidates(lane.excluded).length === 0) doubtful.add(lane)
    }
    this.#doubtful = doubtful
    if (gone.size === 0) return
    for (const waiter of Array.from(line)) {
      // In its own numbers: those of a lane may have any length.
      const error = gone.has(waiter.lane) ? waiter.request.route.gone(waiter.lane.excluded) : null
      if (error !== null) refuse(waiter, error)
    }
  }
}
