/** How much of the beginnings that a host was sent before it has kept, as far as its answers tell. */
import type { PrefixTruth } from './prefix-memory.ts'

/** How much one answer counts beside those before it: some twenty change the mind. */
const weight = 0.1
/** With less in common a prompt says nothing: hosts keep whole blocks, and estimates of tokens are rough. */
const sentTokensMin = 128

export class CacheWorth {
  /** From 0 to 1. All of it is believed to be there until a host says otherwise, since most do not say. */
  now = 1

  told({ sentTokens, cachedTokens }: PrefixTruth): void {
    if (sentTokens < sentTokensMin) return
    this.now += weight * (Math.min(1, cachedTokens / sentTokens) - this.now)
  }
}
