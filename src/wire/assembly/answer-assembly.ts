/**
 * Puts the chunks of a streamed chat or completion together into the answer as it is without streaming.
 *
 * It knows what the stream told and no more. The streams of Opta LMX tell less than its answers do: a lone choice that
 * was cut at max_tokens says `stop` where the answer says `length`, usage is estimated in another way, and not at all
 * for completions, and neither thinking nor the space around the text in front of a tool call is taken away.
 */
import type { DialectName } from '../endpoints.ts'
import { isObject, type JsonObject } from '../json-value.ts'
import { AssembledChoice } from './assembled-choice.ts'
import { AssemblySize } from './assembly-size.ts'

/** Told in every chunk, the same each time. */
const headKeys = ['id', 'created', 'model', 'service_tier', 'system_fingerprint'] as const
/** Padding against the guessing of lengths is no part of an answer. */
const knownKeys: ReadonlySet<string> = new Set([...headKeys, 'object', 'choices', 'usage', 'obfuscation'])

export class AnswerAssembly {
  readonly #isChat: boolean
  readonly #size: AssemblySize
  readonly #head: Partial<Record<(typeof headKeys)[number], unknown>> = {}
  readonly #choices = new Map<number, AssembledChoice>()
  #usage: JsonObject | null = null
  /** Fields that only some hosts have, such as timings, of the last chunk that had any. */
  #others: JsonObject = {}

  constructor(dialect: DialectName, bytesMax: number) {
    this.#isChat = dialect === 'chat'
    this.#size = new AssemblySize(bytesMax)
  }

  /** Each choice of which anything was told has its finish reason, and there is one. */
  get finished(): boolean {
    return this.#choices.size > 0 && this.#choices.values().every((choice) => choice.finished)
  }

  /** Takes in the data of a chunk. Throws AssemblyTooLargeError past the bound. */
  add(chunk: JsonObject): void {
    for (const key of headKeys) if (Object.hasOwn(chunk, key)) this.#head[key] ??= chunk[key]
    if (isObject(chunk['usage'])) this.#usage = chunk['usage']
    const choices = chunk['choices']
    if (!Array.isArray(choices)) return
    const others = Object.entries(chunk).filter(([key]) => !knownKeys.has(key))
    if (others.length > 0) this.#others = Object.fromEntries(others)
    for (const choice of choices) if (isObject(choice)) this.#choice(choice['index']).add(choice)
  }

  /** The whole answer as JSON. */
  json(): Buffer {
    const choices = [...this.#choices.values()].toSorted((a, b) => a.index - b.index)
    const { id, ...head } = this.#head
    return Buffer.from(
      JSON.stringify({
        id,
        object: this.#isChat ? 'chat.completion' : 'text_completion',
        ...head,
        choices: choices.map((choice) => (this.#isChat ? choice.chat() : choice.completion())),
        ...(this.#usage === null ? {} : { usage: this.#usage }),
        ...this.#others,
      }),
    )
  }

  #choice(givenIndex: unknown): AssembledChoice {
    const index = typeof givenIndex === 'number' ? givenIndex : 0
    let choice = this.#choices.get(index)
    if (choice === undefined) this.#choices.set(index, (choice = new AssembledChoice(index, this.#size)))
    return choice
  }
}
