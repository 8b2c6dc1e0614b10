/** Token counters by model, host and key: plain numbers that the relay adds to and a scrape reads. */
import type { TokenTotals } from './events.ts'

export type Tally = { -readonly [Field in keyof TokenTotals]: TokenTotals[Field] }

/** Bounded by its labels, all of which are configured or listed by a host. */
export class TokenTallies implements Iterable<TokenTotals> {
  readonly #tallies = new Map<string, Tally>()

  tally(model: string, host: string, key: string): Tally {
    const id = JSON.stringify([model, host, key])
    let tally = this.#tallies.get(id)
    if (tally === undefined) {
      tally = { model, host, key, input: 0, cachedInput: 0, output: 0, reasoning: 0, usageRejected: 0, badFrames: 0 }
      this.#tallies.set(id, tally)
    }
    return tally
  }

  [Symbol.iterator](): Iterator<TokenTotals> {
    return this.#tallies.values()
  }
}
