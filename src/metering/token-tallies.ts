/** Token counters by model, host and key: plain numbers that the relay adds to and a scrape reads. */
import type { TokenTotals } from './events.ts'

export type Tally = { -readonly [Field in keyof TokenTotals]: TokenTotals[Field] }

/** Twice as many as the metrics have series for. */
const ownMax = 10_000
/** Models and hosts are configured, but for models that hosts list, which may come and go. */
const sharedMax = 1_000
/** No key has this name. */
const other = 'other'

/**
 * Bounded, since keys are made without end: once there are too many, what is new is counted as of another key. None is
 * ever folded into another, or what a scrape has read of it would be counted twice.
 */
export class TokenTallies implements Iterable<TokenTotals> {
  /** By model, host and key: found for each request, without making one key of them. */
  readonly #byModel = new Map<string, Map<string, Map<string, Tally>>>()
  /** In the order in which they were made. */
  readonly #tallies: Tally[] = []

  tally(model: string, host: string, key: string): Tally {
    return (
      this.#within(ownMax, model, host, key) ??
      this.#within(ownMax + sharedMax, model, host, other) ??
      this.#made(other, other, other)
    )
  }

  [Symbol.iterator](): Iterator<TokenTotals> {
    return this.#tallies.values()
  }

  #within(countMax: number, model: string, host: string, key: string): Tally | null {
    const known = this.#byModel.get(model)?.get(host)?.get(key)
    if (known !== undefined) return known
    return this.#tallies.length < countMax ? this.#made(model, host, key) : null
  }

  #made(model: string, host: string, key: string): Tally {
    const byHost = this.#byModel.get(model) ?? new Map<string, Map<string, Tally>>()
    const byKey = byHost.get(host) ?? new Map<string, Tally>()
    const known = byKey.get(key)
    if (known !== undefined) return known
    this.#byModel.set(model, byHost.set(host, byKey))
    const tally = {
      model,
      host,
      key,
      input: 0,
      cachedInput: 0,
      output: 0,
      reasoning: 0,
      decoded: 0,
      decodedSeconds: 0,
      prefilled: 0,
      prefilledSeconds: 0,
      discarded: 0,
      usageRejected: 0,
      badFrames: 0,
    }
    byKey.set(key, tally)
    this.#tallies.push(tally)
    return tally
  }
}
