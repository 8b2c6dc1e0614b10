/** Who waits for what no host of the fleet has (any more): looked for when hosts have left or been asked, or names lead elsewhere. */
import type { GatewayError } from '../base/errors.ts'
import { unavailable } from '../hosts/route.ts'
import type { Lane } from './lane.ts'
import type { Line } from './line.ts'
import type { SlotRequest } from './slot-request.ts'
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
  #someAreEarly = false

  constructor(parts: StrandedParts) {
    this.#parts = parts
  }

  /** To be called after each such change. */
  look(): void {
    this.#lookAt(this.#parts.line.lanes())
  }

  /** To be called whenever a host was found to have something, or nothing. */
  lookAgain(): void {
    if (this.#doubtful.size > 0) this.#lookAt(this.#doubtful)
    if (this.#someAreEarly && !this.#parts.isOneUnknown()) this.#refuseEarly()
  }

  /** Why one that no host can take may not wait; null where one may turn out to have what it wants. */
  refusal({ route }: Pick<SlotRequest, 'route'>): GatewayError | null {
    return this.#parts.isOneUnknown() ? null : (route.gone() ?? unavailable(route.model))
  }

  /** It waits for that. */
  comesEarly(waiter: Waiter): void {
    waiter.isEarly = true
    this.#someAreEarly = true
  }

  /** All hosts are known: whom none can take is told what a newcomer is told. */
  #refuseEarly(): void {
    const { line, refuse } = this.#parts
    this.#someAreEarly = false
    for (const waiter of Array.from(line)) {
      if (!waiter.isEarly) continue
      waiter.isEarly = false
      const { route } = waiter.request
      if (route.candidates(waiter.lane.excluded).length > 0) continue
      refuse(waiter, route.gone() ?? unavailable(route.model))
    }
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
