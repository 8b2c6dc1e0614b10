/** One choice of an answer, put together from the chunks of a stream: a chat's message or a completion's text. */
import { isObject } from '../json-value.ts'
import { AssembledCalls, AssembledFunction } from './assembled-calls.ts'
import type { AssemblySize } from './assembly-size.ts'
import { GrowingText } from './growing-text.ts'
import { MergedFields } from './merged-fields.ts'

/** Fields of a delta whose pieces make one text. */
const textKeys: ReadonlySet<string> = new Set(['content', 'reasoning_content', 'reasoning', 'refusal'])

/** About what a choice takes while it is empty. */
const choiceBytes = 512

export class AssembledChoice {
  readonly #index: number
  readonly #size: AssemblySize
  readonly #fields: MergedFields
  readonly #message: AssembledMessage
  /** Of a completion. */
  readonly #text: GrowingText
  #logprobs: MergedFields | null = null

  constructor(index: number, size: AssemblySize) {
    size.take(choiceBytes)
    this.#index = index
    this.#size = size
    this.#fields = new MergedFields(size)
    this.#message = new AssembledMessage(size)
    this.#text = new GrowingText(size)
  }

  get index(): number {
    return this.#index
  }

  get finished(): boolean {
    return typeof this.#fields.get('finish_reason') === 'string'
  }

  add(choice: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(choice)) this.#addField(key, value)
  }

  /** As it stands in a chat's answer that is not streamed. */
  chat(): Record<string, unknown> {
    const { finish_reason, ...others } = this.#otherFields()
    return { index: this.#index, message: this.#message.object(), ...others, finish_reason }
  }

  completion(): Record<string, unknown> {
    const { finish_reason, ...others } = this.#otherFields()
    return { text: this.#text.text(), index: this.#index, ...others, finish_reason }
  }

  #addField(key: string, value: unknown): void {
    switch (key) {
      case 'index':
        break
      case 'delta':
        if (isObject(value)) this.#message.add(value)
        break
      case 'text':
        if (typeof value === 'string') this.#text.add(value)
        break
      case 'logprobs':
        this.#addLogprobs(value)
        break
      case 'finish_reason':
        // Some servers write an empty reason into every chunk.
        this.#fields.set(key, value === '' ? null : value)
        break
      default:
        this.#fields.set(key, value)
    }
  }

  #addLogprobs(value: unknown): void {
    if (!isObject(value)) {
      this.#fields.set('logprobs', value)
      return
    }
    this.#logprobs ??= new MergedFields(this.#size)
    for (const [key, part] of Object.entries(value)) this.#logprobs.set(key, part)
  }

  #otherFields(): Record<string, unknown> {
    return { ...this.#fields.object(), ...(this.#logprobs === null ? {} : { logprobs: this.#logprobs.object() }) }
  }
}

class AssembledMessage {
  readonly #size: AssemblySize
  readonly #texts = new Map<string, GrowingText>()
  readonly #fields: MergedFields
  readonly #calls: AssembledCalls
  #functionCall: AssembledFunction | null = null

  constructor(size: AssemblySize) {
    this.#size = size
    this.#fields = new MergedFields(size)
    this.#calls = new AssembledCalls(size)
  }

  add(delta: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(delta)) {
      if (typeof value === 'string' && textKeys.has(key)) this.#text(key).add(value)
      else if (key === 'tool_calls' && Array.isArray(value)) for (const call of value) this.#calls.add(call)
      else if (key === 'function_call' && isObject(value)) this.#function().add(value)
      else this.#fields.set(key, value)
    }
  }

  /** What the host told as null stays null where nothing else came, so that the answer has the form of its own ones. */
  object(): Record<string, unknown> {
    const { role, content: otherContent, ...others } = this.#fields.object()
    const message: Record<string, unknown> = { role: role ?? 'assistant', content: otherContent ?? null, ...others }
    for (const [key, text] of this.#texts) if (!text.isEmpty) message[key] = text.text()
    if (!this.#calls.isEmpty) message['tool_calls'] = this.#calls.list()
    if (this.#functionCall !== null) message['function_call'] = this.#functionCall.object()
    // An empty text is an answer too; null is what stands beside something else that was answered.
    if (message['content'] === null && !this.#answersOtherwise()) message['content'] = ''
    return message
  }

  #answersOtherwise(): boolean {
    return !this.#calls.isEmpty || this.#functionCall !== null || this.#texts.get('refusal')?.isEmpty === false
  }

  #text(key: string): GrowingText {
    let text = this.#texts.get(key)
    if (text === undefined) this.#texts.set(key, (text = new GrowingText(this.#size)))
    return text
  }

  #function(): AssembledFunction {
    this.#functionCall ??= new AssembledFunction(this.#size)
    return this.#functionCall
  }
}
