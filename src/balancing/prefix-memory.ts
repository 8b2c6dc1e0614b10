/**
 * Which host has read which beginnings of prompts, as far as the gateway sent them there.
 *
 * What a host generates it keeps as well, and the next turn of a conversation contains it; but its bytes come back as a
 * message of the next prompt, so that a match ends before it: the prediction is a little less than what is there.
 */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { CacheWorth, type PrefixTruth } from './cache-worth.ts'
import { DigestList } from './digest-list.ts'
import type { PromptPrint } from './prompt.ts'

export interface PrefixMatch {
  /** Of the bytes of the prompt, from 0 to 1: what the host is likely to have kept. */
  readonly share: number
  /** The same, had it kept everything that it was sent. */
  readonly sentShare: number
  /** It goes beyond what many conversations have in common. */
  readonly isHome: boolean
}

export interface Prefixes {
  match(host: Host, model: string, print: PromptPrint): PrefixMatch
  /** The host is given this prompt. */
  remember(host: Host, model: string, print: PromptPrint): void
  /** What the host has kept is gone, of one model or of all. */
  forget(host: Host, model?: string): void
  /** An answer of the host told how much of its prompt it had kept. */
  told(host: Host, model: string, answer: PrefixTruth): void
}

export const noMatch: PrefixMatch = { share: 0, sentShare: 0, isHome: false }

export const noPrefixes: Prefixes = {
  match: () => noMatch,
  remember: () => {},
  forget: () => {},
  told: () => {},
}

/**
 * What nobody asked for in an hour has hardly outlived what came since: hosts drop what was used longest ago, and those
 * that load on demand unload an idle model after minutes (Ollama) or an hour (LM Studio), which not all of them tell.
 */
export const keptMsMax = 60 * 60_000
/**
 * What goes on being used is told to others again each time so long has passed, so that they do not forget the beginning of
 * what they remember.
 */
const toldAgainS = 10 * 60
/** A host that lists new names all the time must not fill the memory. */
const modelsMax = 64
/** So little of what is predicted is there that it is no home. */
const homeWorthMin = 0.1

interface Kept {
  /** Monotonic: what came before went with the model, when that left the memory of its host. */
  sinceMs: number
  beginnings: DigestList
  readonly worth: CacheWorth
}

/** Is told digests that a host was sent and that others may not know of: as they are to be remembered, the newest last. */
export type PrefixTeller = (host: Host, model: string, digests: readonly number[]) => void

export class PrefixMemory implements Prefixes {
  readonly #clock: Clock
  readonly #perHostMax: number
  /** A host that was removed takes what is remembered of it along. */
  readonly #byHost = new WeakMap<Host, BoundedMap<string, Kept>>()
  /** Of what the host that was asked about last has how many. */
  #likely: { readonly of: readonly number[] | null; readonly count: number } = { of: null, count: 0 }

  /** Null where nobody wants to know. */
  #teller: PrefixTeller | null = null

  constructor(perHostMax: number, clock: Clock) {
    this.#perHostMax = perHostMax
    this.#clock = clock
  }

  match(host: Host, model: string, print: PromptPrint): PrefixMatch {
    const kept = this.#byHost.get(host)?.get(model)
    if (kept === undefined) return noMatch
    dropStale(kept, host, model)
    const count = this.#countOf(kept.beginnings, print.digests)
    const end = print.ends[count - 1]
    if (end === undefined) return noMatch
    const sentShare = end / print.bytes
    const worth = kept.worth.of(print.owner)
    return { share: sentShare * worth, sentShare, isHome: count > print.commonCount && worth >= homeWorthMin }
  }

  remember(host: Host, model: string, { digests }: PromptPrint): void {
    const kept = this.#keptOf(host, model)
    dropStale(kept, host, model)
    const { beginnings } = kept
    const nowS = this.#nowS()
    const untold: number[] | null = this.#teller === null ? null : []
    // From the longest to the shortest, so that none is ever older, and sooner forgotten, than one that goes on from it.
    for (let at = digests.length - 1; at >= 0; at--) {
      const digest = digests[at] ?? 0
      const beforeS = beginnings.use(digest, nowS)
      if (untold !== null && isToldAgain(beforeS, nowS)) untold.push(digest)
    }
    while (beginnings.size > this.#perHostMax) beginnings.dropOldest()
    if (untold !== null && untold.length > 0) this.#teller?.(host, model, untold)
  }

  /** From now on it is told what is remembered and may be new to others. */
  tellTo(teller: PrefixTeller): void {
    this.#teller = teller
  }

  /** Another gateway has sent the host what these are of; the newest last. */
  heard(host: Host, model: string, digests: readonly number[]): void {
    const kept = this.#keptOf(host, model)
    dropStale(kept, host, model)
    const nowS = this.#nowS()
    for (const digest of digests) kept.beginnings.use(digest, nowS)
    while (kept.beginnings.size > this.#perHostMax) kept.beginnings.dropOldest()
  }

  /** Of each model of the host what was used within so long, the newest first. */
  *newest(host: Host, withinMs: number): Iterable<readonly [model: string, digests: Iterable<number>]> {
    const sinceS = Math.max(0, this.#nowS() - withinMs / 1_000)
    for (const [model, kept] of this.#byHost.get(host)?.entries() ?? []) {
      dropStale(kept, host, model)
      yield [model, kept.beginnings.newest(sinceS)]
    }
  }

  forget(host: Host, model?: string): void {
    const byModel = this.#byHost.get(host)
    if (byModel === undefined) return
    for (const [name, kept] of byModel) if (model === undefined || name === model) kept.beginnings = new DigestList()
  }

  told(host: Host, model: string, answer: PrefixTruth): void {
    this.#keptOf(host, model).worth.told(answer)
  }

  /** How many beginnings are remembered of each model of the host. */
  sizes(host: Host): ReadonlyMap<string, number> {
    const byModel = this.#byHost.get(host)?.entries() ?? []
    return new Map(Array.from(byModel, ([model, { beginnings }]) => [model, beginnings.size]))
  }

  /**
   * How many of the digests are there. Where a longer beginning is, all that are shorter are too (see `remember`), so that
   * halves find it; but most hosts have the same of a prompt, and that is tried first.
   */
  #countOf(beginnings: DigestList, digests: readonly number[]): number {
    const sinceS = this.#nowS() - keptMsMax / 1_000
    const has = (count: number): boolean => beginnings.has(digests[count - 1] ?? 0, sinceS)
    let least = 0
    let most = digests.length
    const likely = this.#likely.of === digests ? this.#likely.count : least
    if (likely > 0 && !has(likely)) most = likely - 1
    else if (likely < most && !has(likely + 1)) most = least = likely
    else least = Math.min(likely + 1, most)
    while (least < most) {
      const middle = (least + most + 1) >> 1
      if (has(middle)) least = middle
      else most = middle - 1
    }
    this.#likely = { of: digests, count: least }
    return least
  }

  #keptOf(host: Host, model: string): Kept {
    let byModel = this.#byHost.get(host)
    if (byModel === undefined) {
      byModel = new BoundedMap(modelsMax)
      this.#byHost.set(host, byModel)
    }
    const kept = byModel.get(model) ?? {
      sinceMs: this.#clock.now(),
      beginnings: new DigestList(),
      worth: new CacheWorth(this.#clock),
    }
    byModel.set(model, kept)
    return kept
  }

  /** In whole seconds. */
  #nowS(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }
}

function isToldAgain(beforeS: number, nowS: number): boolean {
  return beforeS < 0 || Math.floor(beforeS / toldAgainS) !== Math.floor(nowS / toldAgainS)
}

function dropStale(kept: Kept, host: Host, model: string): void {
  const leftAtMs = host.memory.leftAtMs(model)
  if (leftAtMs <= kept.sinceMs) return
  kept.beginnings = new DigestList()
  kept.sinceMs = leftAtMs
}
