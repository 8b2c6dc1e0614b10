/**
 * How much of the beginnings that a host was sent before it has kept, as far as its answers tell.
 *
 * Told apart by whose prompts they were: clients can keep a host from its cache by fields that nobody here knows, and what
 * comes of that must not count for those of others. Who has no answers yet goes by what all have, one vote each.
 */
import type { Clock } from '../base/clock.ts'

/** Of one prompt, in tokens. */
export interface PrefixTruth {
  /** Whose prompt it was, as the print has it. */
  readonly owner: string
  /** What was sent there before, however much of that was predicted to be there still. */
  readonly sentTokens: number
  readonly cachedTokens: number
}

/** How much one answer counts beside those before it: some twenty change the mind. */
const weight = 0.1
/** With less in common a prompt says nothing: hosts keep whole blocks, and estimates of tokens are rough. */
const sentTokensMin = 128
/** Nobody sends what is doubted, so that no answer would tell otherwise: in so long half of a doubt is gone by itself. */
export const doubtHalvesMs = 30 * 60_000
/** Of these the one that was heard of longest ago is forgotten first. */
export const ownersMax = 256
/** As many who have heard no ill of the host are imagined beside those that are known. */
const trusting = 1

/** Of what was sent to it, the part that its host is thought to have lost, at that time. */
interface Doubt {
  readonly share: number
  /** The same by its own answers alone: what others have told must not be told once more by all who came after. */
  readonly vote: number
  readonly atMs: number
}

export class CacheWorth {
  readonly #clock: Clock
  /** The one that was heard of longest ago comes first. */
  readonly #doubts = new Map<string, Doubt>()
  /** Summed up, at that time: all of them fade alike. */
  #votes = 0
  #votesAtMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** From 0 to 1. All of it is believed to be there until a host says otherwise, since most do not say. */
  of(owner: string): number {
    return this.#votes === 0 ? 1 : 1 - this.#shareOf(owner)
  }

  told({ owner, sentTokens, cachedTokens }: PrefixTruth): void {
    if (sentTokens < sentTokensMin) return
    const lost = 1 - Math.min(1, cachedTokens / sentTokens)
    const share = moved(this.#shareOf(owner), lost)
    const vote = moved(this.#drop(owner), lost)
    this.#doubts.set(owner, { share, vote, atMs: this.#clock.now() })
    this.#add(vote)
    for (const [oldest] of this.#doubts) {
      if (this.#doubts.size <= ownersMax) break
      this.#drop(oldest)
    }
  }

  /** Without answers of its own: the mean of all votes. */
  #shareOf(owner: string): number {
    const own = this.#doubts.get(owner)
    if (own !== undefined) return own.share * this.#left(own.atMs)
    return (this.#votes * this.#left(this.#votesAtMs)) / (this.#doubts.size + trusting)
  }

  /** Returns its vote as of now. */
  #drop(owner: string): number {
    const own = this.#doubts.get(owner)
    if (own === undefined) return 0
    this.#doubts.delete(owner)
    const vote = own.vote * this.#left(own.atMs)
    this.#add(-vote)
    return vote
  }

  #add(vote: number): void {
    const votes = this.#votes * this.#left(this.#votesAtMs) + vote
    // What rounding leaves of the last one is none.
    this.#votes = this.#doubts.size === 0 ? 0 : Math.max(0, votes)
    this.#votesAtMs = this.#clock.now()
  }

  /** Of a doubt of that time. */
  #left(atMs: number): number {
    return 2 ** (-Math.max(0, this.#clock.now() - atMs) / doubtHalvesMs)
  }
}

function moved(from: number, to: number): number {
  return from + weight * (to - from)
}
