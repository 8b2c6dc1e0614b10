/** What one request holds of the limits of its key and its team until it is settled. */
import type { Clock } from '../base/clock.ts'
import type { TokenCounts } from '../metering/usage.ts'
import { type Cost, type Held, noCost } from './held.ts'

const chunkTokens = 256

export class Reservation {
  readonly #helds: readonly Held[]
  readonly #clock: Clock
  readonly #cachedInputWeight: number
  #output: number
  #settled = false
  /** So long all gateways together were asked for it. */
  askedForMs = 0

  constructor(helds: readonly Held[], cost: Cost, clock: Clock, cachedInputWeight: number) {
    this.#helds = helds
    this.#output = cost.output
    this.#clock = clock
    this.#cachedInputWeight = cachedInputWeight
  }

  /** Generated tokens that are reserved. */
  get output(): number {
    return this.#output
  }

  /** So many tokens were generated: reserves more where that is more than was, and returns up to where. */
  topUp(output: number): number {
    const missing = output - this.#output
    if (missing <= 0 || this.#settled) return this.#output
    const more = Math.ceil(missing / chunkTokens) * chunkTokens
    for (const held of this.#helds) held.add({ requests: 0, input: 0, output: more }, this.#clock.now())
    this.#output += more
    return this.#output
  }

  /**
   * The first call counts. Null when nothing was executed, which costs nothing. `blameless`: that less was used than was
   * reserved is not its owner's doing.
   */
  settle(used: TokenCounts | null, blameless = false): void {
    if (this.#settled) return
    this.#settled = true
    const cost = used === null ? noCost : { requests: 1, ...weighed(used, this.#cachedInputWeight) }
    const needed = blameless ? null : { requests: 1, input: used?.input ?? 0, output: used?.output ?? 0 }
    for (const held of this.#helds) held.settle(cost, needed, this.#clock.now())
  }
}

export function weighed(
  used: { readonly input: number; readonly cachedInput: number; readonly output: number },
  cachedInputWeight: number,
): { input: number; output: number } {
  const cached = Math.min(used.input, used.cachedInput)
  return { input: Math.ceil(used.input - cached + cachedInputWeight * cached), output: Math.ceil(used.output) }
}
