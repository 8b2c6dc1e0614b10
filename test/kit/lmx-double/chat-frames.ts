/** The frames of a streamed chat: everything but the text is built once per stream. */
import { asciiString, compactJson, spacedJson } from './python-json.ts'

export interface StreamIdentity {
  id: string
  created: number
  model: string
  /** Set when the request named logprobs: choices then carry `logprobs: null`. */
  logprobs: boolean
}

export interface ToolCall {
  id: string
  name: string
  arguments: string
}

export const doneFrame = 'data: [DONE]\n\n'
const contentHole = '\u0000'

export class ChatFrames {
  readonly #identity: StreamIdentity
  readonly #index: number
  readonly #before: string
  readonly #after: string

  constructor(identity: StreamIdentity, index: number) {
    this.#identity = identity
    this.#index = index
    const [before = '', after = ''] = this.#frame({ content: contentHole }, null).split(asciiString(contentHole))
    this.#before = before
    this.#after = after
  }

  role(): string {
    return this.#frame({ role: 'assistant', content: '' }, null)
  }

  content(text: string): string {
    return this.#before + asciiString(text) + this.#after
  }

  /** The same frame with raw UTF-8, which LMX never sends but other hosts do. */
  rawContent(text: string): string {
    return this.#before + JSON.stringify(text) + this.#after
  }

  tool(call: ToolCall, index: number): string {
    const { id, name } = call
    const tool = { index, id, type: 'function', function: { name, arguments: call.arguments } }
    return this.#frame({ tool_calls: [tool] }, null)
  }

  finish(reason: string): string {
    return this.#frame({}, reason)
  }

  /** Compact and raw, unlike all other frames. */
  usage(prompt: number, completion: number): string {
    const { id, created, model } = this.#identity
    const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
    return `data: ${compactJson({ id, object: 'chat.completion.chunk', created, model, choices: [], usage })}\n\n`
  }

  #frame(given: { role?: string; content?: string; tool_calls?: unknown }, finishReason: string | null): string {
    const { id, created, model, logprobs } = this.#identity
    const delta = { role: given.role ?? null, content: given.content ?? null, tool_calls: given.tool_calls ?? null }
    const choice = { index: this.#index, delta, finish_reason: finishReason, ...(logprobs ? { logprobs: null } : {}) }
    return `data: ${spacedJson({ id, object: 'chat.completion.chunk', created, model, choices: [choice], usage: null })}\n\n`
  }
}
