/** A real language model in llama.cpp: a fixed number of parallel sequences with a line before them, and counts of all it did. */

import { getLlama, type LlamaContextSequence, LlamaLogLevel, type LlamaModel, type Token } from 'node-llama-cpp'
import { SlotLine } from './slot-line.ts'

/** What one sequence holds, prompt and answer together; also what the model was trained on. */
const windowTokens = 256
/** More threads than free cores make llama.cpp some hundred times slower, since its threads wait for each other in a loop. */
const threads = 1
/** A UTF-8 character ends within four bytes, so within four tokens. */
const characterTokensMax = 4

export interface Message {
  readonly role: string
  readonly content: string
}

export interface Generation {
  readonly prompt: readonly Token[]
  readonly tokensMax: number
  readonly temperature: number
  readonly topP: number
  readonly seed: number
  /** Goes on after the model has ended its answer; with a large `tokensMax`, only an abort ends such a generation. */
  readonly ignoreEnd: boolean
  readonly signal: AbortSignal
  /** Called with every piece of text; the next token waits for it. */
  readonly onText: (text: string) => Promise<void>
}

export interface Generated {
  readonly finishReason: 'stop' | 'length'
  readonly promptTokens: number
  /** Sampled tokens, among them the one that ends the answer. */
  readonly completionTokens: number
}

/** What the engine says about itself. Token totals come from llama.cpp's own meter, not from the answers that were sent. */
export interface EngineState {
  readonly slots: number
  readonly running: number
  readonly waiting: number
  readonly waitingPeak: number
  readonly completed: number
  readonly aborted: number
  /** Tokens read; what a sliding window makes the engine read again counts again. */
  readonly promptTokens: number
  readonly completionTokens: number
  readonly generatingMs: number
}

export class Engine {
  readonly #model: LlamaModel
  readonly #line: SlotLine<LlamaContextSequence>
  readonly #slots: number
  #running = 0
  #completed = 0
  #aborted = 0
  #promptTokens = 0
  #completionTokens = 0
  #generatingMs = 0

  constructor(model: LlamaModel, sequences: readonly LlamaContextSequence[]) {
    this.#model = model
    this.#slots = sequences.length
    this.#line = new SlotLine(sequences)
  }

  /** In ChatML, the template in the model's file. Only the frame is read for special tokens, so that a message cannot end its turn. */
  prompt(messages: readonly Message[]): Token[] {
    const turns = messages.flatMap(({ role, content }) => [
      ...this.#model.tokenize(`<|im_start|>${role}\n`, true),
      ...this.#model.tokenize(content, false),
      ...this.#model.tokenize('<|im_end|>\n', true),
    ])
    return [...turns, ...this.#model.tokenize('<|im_start|>assistant\n', true)]
  }

  /** How many tokens can follow a prompt; 0 and less means the prompt itself is too long. */
  room(prompt: readonly Token[]): number {
    return windowTokens - prompt.length
  }

  /** Waits for a sequence and generates. Rejects with the signal's reason after an abort; the sequence is free by then. */
  async generate(generation: Generation): Promise<Generated> {
    try {
      const sequence = await this.#line.take(generation.signal)
      const generated = await this.#onSequence(sequence, generation)
      this.#completed += 1
      return generated
    } catch (error) {
      if (generation.signal.aborted) this.#aborted += 1
      throw error
    }
  }

  state(): EngineState {
    return {
      slots: this.#slots,
      running: this.#running,
      waiting: this.#line.waiting,
      waitingPeak: this.#line.waitingPeak,
      completed: this.#completed,
      aborted: this.#aborted,
      promptTokens: this.#promptTokens,
      completionTokens: this.#completionTokens,
      generatingMs: this.#generatingMs,
    }
  }

  async #onSequence(sequence: LlamaContextSequence, generation: Generation): Promise<Generated> {
    const meterAtStart = sequence.tokenMeter.getState()
    const startedMs = performance.now()
    this.#running += 1
    try {
      // Without this the prompt's beginning would come from the last request and not be counted.
      await sequence.clearHistory()
      return await this.#evaluate(sequence, generation)
    } finally {
      const used = sequence.tokenMeter.diff(meterAtStart)
      // The meter books the last token of the prompt as output, since the first answer token is sampled there.
      this.#promptTokens += used.usedInputTokens + (used.usedOutputTokens > 0 ? 1 : 0)
      this.#completionTokens += used.usedOutputTokens
      this.#generatingMs += performance.now() - startedMs
      this.#running -= 1
      this.#line.giveBack(sequence)
    }
  }

  async #evaluate(sequence: LlamaContextSequence, generation: Generation): Promise<Generated> {
    const { prompt, tokensMax, temperature, topP, seed, ignoreEnd, signal, onText } = generation
    const text = new TextOfTokens(this.#model)
    const ended = (finishReason: 'stop' | 'length', completionTokens: number): Generated => ({
      finishReason,
      promptTokens: prompt.length,
      completionTokens,
    })
    let completionTokens = 0
    signal.throwIfAborted()
    for await (const token of sequence.evaluate([...prompt], { temperature, topP, seed, yieldEogToken: true })) {
      signal.throwIfAborted()
      completionTokens += 1
      if (this.#model.isEogToken(token) && !ignoreEnd) return ended('stop', completionTokens)
      const piece = text.push(token)
      if (piece !== '') await onText(piece)
      if (completionTokens >= tokensMax) return ended('length', completionTokens)
    }
    throw new Error('llama.cpp stopped without the token that ends an answer')
  }
}

export async function loadEngine(options: { modelFile: string; slots: number }): Promise<Engine> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  })
  const model = await llama.loadModel({ modelPath: options.modelFile })
  const sequences: LlamaContextSequence[] = []
  // A context each: llama.cpp sorts the logits of a context when they are first read, and node-llama-cpp has its sequences read them
  // on several threads at once, so that now and then one gets a token of another.
  while (sequences.length < options.slots) {
    const context = await model.createContext({ contextSize: windowTokens, sequences: 1, threads })
    sequences.push(context.getSequence())
  }
  return new Engine(model, sequences)
}

/** Text of tokens as they come; the bytes of a character that spans several are held until it is whole. */
class TextOfTokens {
  readonly #model: LlamaModel
  #held: Token[] = []

  constructor(model: LlamaModel) {
    this.#model = model
  }

  push(token: Token): string {
    this.#held.push(token)
    const text = this.#model.detokenize(this.#held, false)
    if (text.endsWith('\uFFFD') && this.#held.length < characterTokensMax) return ''
    this.#held = []
    return text
  }
}
