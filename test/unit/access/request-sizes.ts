/**
 * Sizes like those of a real chat service: quantiles of the Azure LLM inference trace 2023, conversation (19,366
 * requests; Patel et al., Splitwise, ISCA 2024; github.com/Azure/AzurePublicDataset, CC-BY).
 */

export type Random = () => number

const shares = [
  0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95,
  0.98, 0.99, 0.995, 0.999, 1,
]
const inputs = [
  2, 91, 181, 207, 372, 387, 396, 403, 414, 703, 984, 1_020, 1_045, 1_071, 1_097, 1_130, 1_189, 1_315, 1_877, 2_735,
  4_083, 4_098, 4_142, 4_831, 6_212, 14_050,
]
const outputs = [
  7, 24, 41, 54, 67, 77, 85, 91, 96, 103, 113, 129, 151, 177, 217, 384, 395, 400, 411, 424, 451, 540, 601, 644, 954,
  1_000,
]

export function sizeOfRequest(random: Random): { input: number; output: number } {
  return { input: at(inputs, random()), output: at(outputs, random()) }
}

function at(sizes: readonly number[], share: number): number {
  const upper = shares.findIndex((known) => known > share)
  const from = shares[upper - 1] ?? 0
  const to = shares[upper] ?? 1
  const [low = 0, high = 0] = sizes.slice(upper - 1, upper + 1)
  return Math.round(low + ((high - low) * (share - from)) / (to - from))
}

/** Mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
