/** Machines as the simulator knows them: how fast they read prompts and write answers, alone and together. */

export interface HostProfile {
  readonly name: string
  /** Requests the line may give it at once. */
  readonly slots: number
  /** Bounds inside of which that number adapts; default: it stays. */
  readonly slotBounds?: { readonly min: number; readonly max: number }
  /** Prompt tokens per second of short prompts. */
  readonly prefillTokensPerSecond: number
  /** The prompt length at which that has halved; default: it stays. */
  readonly prefillHalvedAtTokens?: number
  /** Tokens per second of one answer alone. */
  readonly decodeTokensPerSecond: number
  /** How much each further answer slows every step: n of them take 1 + slowdown x (n - 1) of a step alone. */
  readonly slowdown: number
  /** What is left of the speed of answers while a prompt is read; 0 where that blocks everything. */
  readonly decodeShareDuringPrefill: number
  /** The mean context at which a step takes twice as long; default: context costs nothing. */
  readonly stepDoubledAtTokens?: number
  /** Its share where hosts are weighted, as somebody would configure it who knows them; default: 1. */
  readonly weight?: number
  /** Blocks of prompts that it keeps, so that only what is new is read; default: none. */
  readonly blocksKept?: number
}

/** The host of the flood: 30B-A3B class. */
export const macOfTheFlood: HostProfile = {
  name: 'mac',
  slots: 4,
  prefillTokensPerSecond: 1_200,
  decodeTokensPerSecond: 70,
  slowdown: 0.28,
  decodeShareDuringPrefill: 0.2,
}

/** M4 Max with a 30B-A3B model in 4 bits. */
export const m4Max: HostProfile = {
  name: 'm4-max',
  slots: 4,
  prefillTokensPerSecond: 1_250,
  decodeTokensPerSecond: 98,
  slowdown: 0.28,
  decodeShareDuringPrefill: 0.2,
}

/** M2 Ultra with a 7B model in 4 bits. */
export const m2Ultra: HostProfile = {
  name: 'm2-ultra',
  slots: 4,
  prefillTokensPerSecond: 630,
  decodeTokensPerSecond: 88,
  slowdown: 0.35,
  decodeShareDuringPrefill: 0.2,
}

/** Three machines of one house, the second and third of which are 0.6 and 0.35 times as fast as the first. */
export const unequalMacs: readonly HostProfile[] = [
  { name: 'studio', weight: 20, prefillTokensPerSecond: 1_500, decodeTokensPerSecond: 95 },
  { name: 'macbook', weight: 12, prefillTokensPerSecond: 900, decodeTokensPerSecond: 60 },
  { name: 'mini', weight: 7, prefillTokensPerSecond: 500, decodeTokensPerSecond: 35 },
].map((own) => ({ ...own, slots: 8, slowdown: 0.28, decodeShareDuringPrefill: 0.2 }))

/** As much in all, in three equal parts. */
export const equalMacs: readonly HostProfile[] = ['one', 'two', 'three'].map((name) => ({
  name,
  slots: 8,
  prefillTokensPerSecond: 2_900 / 3,
  decodeTokensPerSecond: 190 / 3,
  slowdown: 0.28,
  decodeShareDuringPrefill: 0.2,
}))

/** Seconds it takes to read a prompt. */
export function prefillSeconds(profile: HostProfile, tokens: number): number {
  const slowed = 1 + tokens / (profile.prefillHalvedAtTokens ?? Number.POSITIVE_INFINITY)
  return (tokens * slowed) / profile.prefillTokensPerSecond
}

/** Tokens per second of each of `streams` answers while no prompt is read. */
export function decodeRate(profile: HostProfile, streams: number, meanContextTokens = 0): number {
  const step = 1 + profile.slowdown * (streams - 1)
  const context = 1 + meanContextTokens / (profile.stepDoubledAtTokens ?? Number.POSITIVE_INFINITY)
  return profile.decodeTokensPerSecond / (step * context)
}

/**
 * Requests per second of a host whose slots are always full: prompts take their share of the time, in which answers go on
 * at `decodeShareDuringPrefill`.
 */
export function capacity(profile: HostProfile, meanInput: number, meanOutput: number): number {
  const together = profile.slots * decodeRate(profile, profile.slots)
  const lostToPrompt = prefillSeconds(profile, meanInput) * (1 - profile.decodeShareDuringPrefill)
  return together / (meanOutput + together * lostToPrompt)
}

/** The most cost that it can work off in a second: 1 for a token of a prompt that is read, 2 for one of an answer. */
export function costPerSecondMax(profile: HostProfile): number {
  let decode = 0
  for (let streams = 1; streams <= profile.slots; streams++) {
    decode = Math.max(decode, 2 * streams * decodeRate(profile, streams))
  }
  return Math.max(decode, profile.prefillTokensPerSecond + profile.decodeShareDuringPrefill * decode)
}
