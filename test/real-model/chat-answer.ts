/** The bodies and frames of OpenAI's chat completions. */

import { randomUUID } from 'node:crypto'
import type { Generated } from './engine.ts'

export class ChatAnswer {
  readonly #id = `chatcmpl-${randomUUID()}`
  readonly #created = Math.floor(Date.now() / 1000)
  readonly #model: string

  constructor(model: string) {
    this.#model = model
  }

  whole(content: string, generated: Generated): string {
    const message = { role: 'assistant', content, refusal: null }
    return JSON.stringify({
      ...this.#head('chat.completion'),
      choices: [{ index: 0, message, logprobs: null, finish_reason: generated.finishReason }],
      usage: usageOf(generated),
    })
  }

  roleFrame(): string {
    return this.#frame({ role: 'assistant', content: '' }, null)
  }

  contentFrame(content: string): string {
    return this.#frame({ content }, null)
  }

  finishFrame(generated: Generated): string {
    return this.#frame({}, generated.finishReason)
  }

  usageFrame(generated: Generated): string {
    return frame({ ...this.#head('chat.completion.chunk'), choices: [], usage: usageOf(generated) })
  }

  #frame(delta: object, finishReason: Generated['finishReason'] | null): string {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finishReason }
    return frame({ ...this.#head('chat.completion.chunk'), choices: [choice] })
  }

  #head(object: string) {
    return { id: this.#id, object, created: this.#created, model: this.#model }
  }
}

export const doneFrame = 'data: [DONE]\n\n'

function frame(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`
}

function usageOf({ promptTokens, completionTokens }: Generated) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  }
}
