/** Reads of a request what LMX reads of it: texts, counts, and the words the stand-in engine answers with. */

import type { FaultPlan } from './faults.ts'
import { withoutMarker } from './faults.ts'
import { busyText } from './generation.ts'
import type { LmxDoubleOptions } from './options.ts'
import { maxTokensUnasked } from './options.ts'

export type JsonObject = Record<string, unknown>

export interface Message {
  role: string
  text: string
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Messages of a chat, an Anthropic or a Responses request. */
export function messagesOf(value: unknown): Message[] {
  const items = Array.isArray(value) ? value : [value]
  return items.map((item: unknown) => {
    if (typeof item === 'string') return { role: 'user', text: item }
    if (!isObject(item)) return { role: 'user', text: '' }
    return { role: typeof item['role'] === 'string' ? item['role'] : 'user', text: textOf(item['content']) }
  })
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  const texts: string[] = []
  for (const part of content as unknown[]) {
    if (isObject(part) && typeof part['text'] === 'string') texts.push(part['text'])
  }
  return texts.join(' ')
}

export function lastUserText(messages: readonly Message[]): string {
  return messages.findLast((message) => message.role === 'user')?.text ?? ''
}

/** LMX's guess in streams: four characters are a token. */
export function estimatedTokens(messages: readonly Message[]): number {
  let characters = 0
  for (const message of messages) characters += message.text.length
  return Math.max(1, Math.floor(characters / 4))
}

/** LMX's count in whole answers of the mlx-lm backend: words of the flattened prompt. */
export function countedPromptWords(messages: readonly Message[]): number {
  return wordCount(`${messages.map((message) => `${message.role}: ${message.text}`).join('\n')}\nassistant:`)
}

/** An answer of nothing counts as one. */
export function wordCount(text: string): number {
  return Math.max(1, text.split(/\s+/).filter((word) => word !== '').length)
}

const words: string[] = []

function numberedWords(count: number): readonly string[] {
  while (words.length < count) words.push(`w${words.length} `)
  return words.slice(0, count)
}

/** Engine chunks as a tokenizer would cut a text: words with the blanks that follow them. */
export function chunked(text: string): string[] {
  return text.match(/\s*\S+\s*/g) ?? []
}

interface EngineRequest {
  model: string
  messages: readonly Message[]
  maxTokens: number | null
  body: JsonObject
}

/** What the engine answers, one chunk per token. */
export function engineChunks(request: EngineRequest, options: LmxDoubleOptions, plan: FaultPlan): readonly string[] {
  const userText = lastUserText(request.messages)
  const limit = request.maxTokens ?? maxTokensUnasked
  const chunks = answered(request, userText, options) ?? numberedWords(plannedLength(request, options, plan))
  const limited = chunks.length > limit ? chunks.slice(0, limit) : chunks
  return plan.lookalike === undefined ? limited : withLookalike(limited, plan.lookalike)
}

function answered(request: EngineRequest, userText: string, options: LmxDoubleOptions): readonly string[] | null {
  const prompt = { model: request.model, lastUserText: withoutMarker(userText), body: request.body }
  const replied = options.reply?.(prompt) ?? null
  if (replied !== null) return replied
  return options.echo === true ? chunked(withoutMarker(userText)) : null
}

function plannedLength(request: EngineRequest, options: LmxDoubleOptions, plan: FaultPlan): number {
  const unasked = options.answerTokens ?? 16
  return Math.min(plan.answerTokens ?? request.maxTokens ?? unasked, request.maxTokens ?? maxTokensUnasked)
}

function withLookalike(chunks: readonly string[], where: 'middle' | 'last'): string[] {
  if (where === 'last') return [...chunks, '\n\n[Error: this is how a log line may look]']
  const middle = Math.ceil(chunks.length / 2)
  return [...chunks.slice(0, middle), `\n\n[Error: ${busyText}]`, ...chunks.slice(middle)]
}
