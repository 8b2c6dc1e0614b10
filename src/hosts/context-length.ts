/** How long prompt and answer together may be at a host, and whether a request fits there. */
import type { PromptSize } from '../wire/prompt-size.ts'

/** What a server does with a request that is longer than its context. */
export type ContextRuleName = keyof typeof contextRules

/** What is known of a request's length. */
export interface ContextAsk {
  readonly prompt: PromptSize
  /** Of its answer, as other answers were. */
  readonly outputLikely: number
  /** The bound of its answer's length: the least that a host may read of it, and the most; null where there is none. */
  readonly outputAsked: { readonly least: number | null; readonly most: number | null }
  /** LMX's own field: it makes the context of this request so short. */
  readonly numCtx: number | null
}

/** A host as far as its context is concerned; null where it is not known. */
export interface ContextPlace {
  readonly rule: ContextRuleName
  readonly contextTokens: number | null
}

export type ContextFit = 'sure' | 'perhaps' | 'no'

/** Contexts of which a host may have: below the first it does not go, above the last it surely fits. */
interface Bounds {
  readonly goesFrom: number
  readonly sureFrom: number
}

/** The most that a context of this number of tokens is believed to be. */
export const contextTokensSaidMax = 100_000_000

/** Nearly every model of today has as much: up to here a host that does not tell its context is as good as any. */
const unsaidTokens = 32_768

/** LMX generates so much where no bound is given, and sets that, or the bound, aside. */
const lmxOutputDefault = 2_048
/** By its source: four characters are a token, a picture is 765 (its inference/context.py). */
const lmxCharactersPerToken = 4
const lmxTokensPerMedia = 765

/**
 * Servers that refuse are asked while it may fit: they count for certain. Those that would cut the beginning of a conversation
 * away without a word are asked only where that is not to be expected.
 */
export const contextRules = {
  /** Prompt and bound together must fit, else it refuses, as OpenAI does. */
  refuses_both: ({ prompt, outputLikely, outputAsked }: ContextAsk): Bounds => ({
    goesFrom: prompt.least + (outputAsked.least ?? 1),
    sureFrom: prompt.most + Math.max(outputAsked.most ?? 0, outputLikely),
  }),
  /** The prompt must fit, else it refuses; the answer ends where the context is full. */
  refuses_prompt: ({ prompt, outputLikely }: ContextAsk): Bounds => ({
    goesFrom: prompt.least + 1,
    sureFrom: prompt.most + outputLikely,
  }),
  /** It drops the oldest messages silently until the prompt fits. */
  trims: ({ prompt, outputLikely }: ContextAsk): Bounds => ({
    goesFrom: prompt.most,
    sureFrom: prompt.most + outputLikely,
  }),
  /** The same, by characters, so that it is known when it does. */
  trims_by_characters: (ask: ContextAsk): Bounds => {
    const from = trimsBelow(ask, ask.prompt.characters?.() ?? ask.prompt.textBytes)
    return { goesFrom: from, sureFrom: from }
  },
} as const satisfies Record<string, (ask: ContextAsk) => Bounds>

/** A context of fewer tokens is one for which LMX trims a prompt of so many characters. */
function trimsBelow({ prompt, outputAsked }: ContextAsk, characters: number): number {
  const counted = Math.ceil(characters / lmxCharactersPerToken) + lmxTokensPerMedia * prompt.media
  return Math.max(counted, prompt.least) + (outputAsked.most ?? lmxOutputDefault)
}

/**
 * What a request needs of a context. It is never rounded: what is known of contexts may change while it waits, as where a host
 * tells that of a model only once it has loaded it.
 */
export class ContextNeed {
  readonly ask: ContextAsk
  readonly #bounds: Partial<Record<ContextRuleName, Bounds>> = {}

  constructor(ask: ContextAsk) {
    this.ask = ask
  }

  /** Requests with the same fit the same hosts, as long as these are all: few, however many lengths and bounds clients ask for. */
  groupAmong(places: readonly ContextPlace[]): string {
    let fits = ''
    for (const place of places) fits += fitLetters[this.fits(place)]
    return fits
  }

  fits(place: ContextPlace): ContextFit {
    const tokens = effectiveTokens(place, this.ask.numCtx)
    // Nearly every prompt has room even if each of its bytes were a character, and need not be gone through.
    const isShort = trimsBelow(this.ask, this.ask.prompt.textBytes) <= (tokens ?? unsaidTokens)
    if (place.rule === 'trims_by_characters' && isShort) return 'sure'
    const { goesFrom, sureFrom } = this.#boundsBy(place.rule)
    if (tokens === null) return sureFrom <= unsaidTokens ? 'sure' : 'perhaps'
    if (tokens < goesFrom) return 'no'
    return tokens >= sureFrom ? 'sure' : 'perhaps'
  }

  /** What it would take there, as that server counts: for the eyes of whoever is refused. */
  takes({ rule }: ContextPlace): { readonly total: number; readonly output: number } {
    const { goesFrom } = this.#boundsBy(rule)
    const { least, most } = this.ask.outputAsked
    switch (rule) {
      case 'refuses_both':
        return { total: goesFrom, output: least ?? 0 }
      case 'trims_by_characters':
        return { total: goesFrom, output: most ?? lmxOutputDefault }
      default:
        return { total: goesFrom, output: 0 }
    }
  }

  #boundsBy(rule: ContextRuleName): Bounds {
    this.#bounds[rule] ??= contextRules[rule](this.ask)
    return this.#bounds[rule]
  }
}

const fitLetters: Readonly<Record<ContextFit, string>> = { sure: 's', perhaps: 'p', no: 'n' }

/** Those that differ, in an order of their own. */
export function distinctPlaces(places: readonly ContextPlace[]): readonly ContextPlace[] {
  const byName = new Map(places.map((place) => [placeName(place), place]))
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place)
}

export function placeName({ rule, contextTokens }: ContextPlace): string {
  return `${rule} ${contextTokens}`
}

/** As long as it is there for a request with this `num_ctx`. */
export function effectiveTokens({ rule, contextTokens }: ContextPlace, numCtx: number | null): number | null {
  if (numCtx === null || rule !== 'trims_by_characters') return contextTokens
  return Math.min(contextTokens ?? numCtx, numCtx)
}

/** What a host says, where it can be believed. */
export function contextTokensFrom(value: unknown): number | undefined {
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value > 0
  return isCount && value <= contextTokensSaidMax ? value : undefined
}

/** What an operator says of one host: a number for all its models, or one for each. */
export type ConfiguredContext = number | Readonly<Record<string, number>> | undefined

/** The host's own number wins over that of the model, and both over what the host says. */
export function contextTokensOf(
  model: string,
  configured: { readonly ofHost: ConfiguredContext; readonly ofModels: Readonly<Record<string, number>> },
  said: number | undefined,
): number | null {
  const { ofHost, ofModels } = configured
  if (typeof ofHost === 'number') return ofHost
  return own(ofHost, model) ?? own(ofModels, model) ?? said ?? null
}

function own(numbers: Readonly<Record<string, number>> | undefined, model: string): number | undefined {
  return numbers !== undefined && Object.hasOwn(numbers, model) ? numbers[model] : undefined
}
