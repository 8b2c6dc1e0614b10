/** How many tokens a request will take, as learned from those before it. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { TokenCounts } from '../metering/usage.ts'
import type { EndpointName } from '../wire/endpoints.ts'
import type { PromptSize } from '../wire/prompt-size.ts'
import { type BodySize, sizeOf } from './body-size.ts'

export interface Expected {
  readonly input: number
  readonly output: number
}

export interface Asked {
  /** Of the key or the address. */
  readonly who: string
  readonly model: string
  readonly endpoint: EndpointName
  readonly body: Buffer
  /** Of one choice. */
  readonly maxOutputTokens: number | null
  /** An answer of one choice that is as long may have been cut. */
  readonly leastOutputTokens: number | null
  readonly choices: number
}

const bytesPerTokenPrior = 4
/** Beyond these no tokenizer is known; a host that says so is not believed. */
const bytesPerTokenMin = 1
const bytesPerTokenMax = 20
/** So much evidence the prior is worth, in tokens, and so much of what was learned stays with each request. */
const priorTokens = 256
const memory = 0.95
/** A longer prompt teaches no more than one of so many bytes. */
const taughtBytesMax = 32_768

const tokensPerMediaPrior = 1_000
const tokensPerMediaMin = 50
const tokensPerMediaMax = 20_000

/** Before anything was learned, and how fast that is forgotten. A short prompt misses for reasons that mean nothing in a long one. */
const missPrior = 0.3
const missMemory = 0.9
const missTaughtBytes = 4_096
/** So many times the mean miss a prompt is hardly longer than expected, and surely not shorter; with the least of each. */
const hardlyLonger = { times: 2, least: 0.05 }
const surelyShorter = { times: 4, least: 0.25 }
/** Of pictures and sound one may take much more than the next. */
const mediaSpread = 2

const outputPrior = 256
/** More in one answer is not believed of a host. */
const outputMax = 1_000_000
const newestShareMin = 0.05

/** Endpoints whose answers are no generated tokens. */
const withoutOutput: ReadonlySet<EndpointName> = new Set([
  'embeddings',
  'rerank',
  'count_tokens',
  'transcriptions',
  'translations',
  'speech',
])

/** What is expected of a request when it asks. */
export interface Expectation {
  readonly expected: Expected
  /** Within what its prompt lies. */
  readonly prompt: PromptSize
  /** Takes what the host reported in the end. */
  readonly learn: (used: TokenCounts) => void
}

interface Learner extends Omit<Asked, 'who' | 'body' | 'maxOutputTokens'> {
  /** Under which its sizes are known. */
  readonly ids: { readonly prompt: string; readonly output: string }
}

interface PromptSizes {
  bytes: number
  tokens: number
  tokensPerMedia: number
  /** How far prompts were from what was expected of them, as a share of that; the mean, the older the less. */
  miss: number
}

interface Mean {
  value: number
  count: number
}

/**
 * Of prompts each key has what it learned itself: what one of them sends is not to spoil what others reserve. The longest
 * unlearned are forgotten.
 */
export class Estimates {
  readonly #prompts: BoundedMap<string, PromptSizes>
  readonly #outputs: BoundedMap<string, Mean>
  readonly #outputsOfModels = new BoundedMap<string, Mean>(1_000)

  constructor(clientsMax: number) {
    this.#prompts = new BoundedMap(clientsMax)
    this.#outputs = new BoundedMap(clientsMax)
  }

  /** Never 0 tokens of a prompt. */
  expect(asked: Asked): Expectation {
    const { who, model, endpoint, leastOutputTokens, choices } = asked
    const size = sizeOf(asked.body, endpoint)
    const learner = { model, endpoint, leastOutputTokens, choices, ids: idsOf(who, endpoint, model) }
    const learned = this.#prompts.get(learner.ids.prompt)
    return {
      expected: { input: inputOf(learned, size), output: this.#output(asked, learner.ids.output) },
      prompt: promptSize(learned, size),
      // Not the body: it is held no longer than it is needed.
      learn: (used) => this.#learn(learner, size, used),
    }
  }

  #output({ model, endpoint, maxOutputTokens, choices }: Asked, id: string): number {
    if (withoutOutput.has(endpoint)) return 0
    const learned = this.#outputs.get(id) ?? this.#outputsOfModels.get(model)
    const each = Math.min(maxOutputTokens ?? Number.POSITIVE_INFINITY, learned?.value ?? outputPrior)
    return Math.max(1, Math.ceil(each * choices))
  }

  #learn({ model, endpoint, leastOutputTokens, choices, ids }: Learner, size: BodySize, used: TokenCounts): void {
    if (used.input > 0) this.#learnPrompt(ids.prompt, size, used.input)
    if (withoutOutput.has(endpoint)) return
    const each = Math.min(outputMax, used.output / Math.max(1, choices))
    // What was cut would have been longer, so that it can only make the mean larger.
    const isCut = each >= (leastOutputTokens ?? Number.POSITIVE_INFINITY)
    learnMean(this.#outputs, ids.output, each, isCut)
    learnMean(this.#outputsOfModels, model, each, isCut)
  }

  #learnPrompt(id: string, size: BodySize, input: number): void {
    const sizes = this.#prompts.get(id) ?? {
      bytes: priorTokens * bytesPerTokenPrior,
      tokens: priorTokens,
      tokensPerMedia: tokensPerMediaPrior,
      miss: missPrior,
    }
    if (size.media === 0) {
      const tokens = clamp(input, size.textBytes / bytesPerTokenMax, size.textBytes / bytesPerTokenMin)
      const missWeight = (1 - missMemory) * Math.min(1, size.textBytes / missTaughtBytes)
      const missed = Math.min(1, Math.abs((tokens * bytesPerToken(sizes)) / Math.max(1, size.textBytes) - 1))
      sizes.miss += missWeight * (missed - sizes.miss)
      const weight = Math.min(1, taughtBytesMax / Math.max(1, size.textBytes))
      sizes.bytes = memory * sizes.bytes + weight * size.textBytes
      sizes.tokens = memory * sizes.tokens + weight * tokens
    } else {
      const each = (input - size.textBytes / bytesPerToken(sizes)) / size.media
      sizes.tokensPerMedia += 0.1 * (clamp(each, tokensPerMediaMin, tokensPerMediaMax) - sizes.tokensPerMedia)
    }
    this.#prompts.set(id, sizes)
  }
}

function inputOf(learned: PromptSizes | undefined, { textBytes, media }: BodySize): number {
  const text = textBytes / bytesPerToken(learned)
  return Math.max(1, Math.ceil(text + media * (learned?.tokensPerMedia ?? tokensPerMediaPrior)))
}

function promptSize(learned: PromptSizes | undefined, { textBytes, media }: BodySize): PromptSize {
  const miss = learned?.miss ?? missPrior
  const text = textBytes / bytesPerToken(learned)
  const ofMedia = media * (learned?.tokensPerMedia ?? tokensPerMediaPrior)
  const longer = 1 + Math.max(hardlyLonger.least, hardlyLonger.times * miss)
  const shorter = 1 + Math.max(surelyShorter.least, surelyShorter.times * miss)
  return {
    least: Math.floor(text / shorter + media * tokensPerMediaMin),
    most: Math.ceil(text * longer + ofMedia * mediaSpread),
    textBytes,
    media,
  }
}

function bytesPerToken(learned: PromptSizes | undefined): number {
  return learned === undefined ? bytesPerTokenPrior : learned.bytes / learned.tokens
}

function learnMean(means: BoundedMap<string, Mean>, id: string, value: number, isLeast: boolean): void {
  const mean = means.get(id) ?? { value: outputPrior, count: 1 }
  if (isLeast && value <= mean.value) return
  mean.count += 1
  mean.value += (value - mean.value) * Math.max(newestShareMin, 1 / mean.count)
  means.set(id, mean)
}

function idsOf(who: string, endpoint: EndpointName, model: string): Learner['ids'] {
  return { prompt: `${who} ${endpoint} ${model}`, output: `${who} ${model}` }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}
