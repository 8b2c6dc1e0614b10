/** One answer, "w0 w1 ", as a well-behaved host gives it in each dialect: in frames, and whole. */

import { frame } from '../../kit/sse-streams.ts'

export type Spoken = 'chat' | 'completions' | 'responses' | 'messages'

/** The parts of an answer, so that one can be broken off, or ended, anywhere. */
export interface Parts {
  /** Frames before the first content. */
  readonly opening: string
  readonly content: string
  /** Frames after the last content but the last mark: with them the answer is complete, except in `messages` and `responses`. */
  readonly closing: string
  /** The mark that ends the stream. */
  readonly last: string
  /** The same answer when it is not streamed. */
  readonly whole: string
}

export const text = 'w0 w1 '
const words = ['w0 ', 'w1 ']

const event = (type: string, fields: object): string => `event: ${type}\n${frame({ type, ...fields })}`
const chunk = (object: string, fields: object) => ({ id: 'answer-1', object, created: 1, model: 'm', ...fields })

export const done: string = frame('[DONE]')
export const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }

export function chatFrame(delta: object, finishReason: string | null = null, index = 0): string {
  return frame(chunk('chat.completion.chunk', { choices: [{ index, delta, finish_reason: finishReason }] }))
}

export const usageFrame: string = frame(chunk('chat.completion.chunk', { choices: [], usage }))

export function chatWhole(message: object, finishReason = 'stop'): string {
  const choices = [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finishReason }]
  return JSON.stringify(chunk('chat.completion', { choices, usage }))
}

export const toolCall = {
  index: 0,
  id: 'call_1',
  type: 'function',
  function: { name: 'get_weather', arguments: '{"city":"Bern"}' },
}

const chat: Parts = {
  opening: chatFrame({ role: 'assistant', content: '' }),
  content: words.map((content) => chatFrame({ content })).join(''),
  closing: chatFrame({}, 'stop'),
  last: done,
  whole: chatWhole({ content: text }),
}

const completionChoice = (word: string, reason: string | null) => ({
  choices: [{ index: 0, text: word, logprobs: null, finish_reason: reason }],
})

const completions: Parts = {
  opening: '',
  content: words.map((word) => frame(chunk('text_completion', completionChoice(word, null)))).join(''),
  closing: frame(chunk('text_completion', completionChoice('', 'stop'))),
  last: done,
  whole: JSON.stringify(chunk('text_completion', { ...completionChoice(text, 'stop'), usage })),
}

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [] as object[],
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 0 },
}

const messages: Parts = {
  opening:
    event('message_start', { message }) +
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  content: words
    .map((word) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: word } }))
    .join(''),
  closing:
    event('content_block_stop', { index: 0 }) +
    event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } }),
  last: event('message_stop', {}),
  whole: JSON.stringify({
    ...message,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 3, output_tokens: 2 },
  }),
}

const at = { item_id: 'item_1', output_index: 0, content_index: 0 }
const part = { type: 'output_text', text: '', annotations: [] }
const item = { id: 'item_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] as object[] }
const wholePart = { ...part, text }
const wholeItem = { ...item, status: 'completed', content: [wholePart] }
const response = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'm',
  status: 'in_progress',
  output: [] as object[],
}

export const wholeResponse = {
  ...response,
  status: 'completed',
  output: [wholeItem],
  usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
}

const responses: Parts = {
  opening:
    event('response.created', { response }) +
    event('response.output_item.added', { output_index: 0, item }) +
    event('response.content_part.added', { ...at, part }),
  content: words.map((delta) => event('response.output_text.delta', { ...at, delta })).join(''),
  closing:
    event('response.output_text.done', { ...at, text }) +
    event('response.content_part.done', { ...at, part: wholePart }) +
    event('response.output_item.done', { output_index: 0, item: wholeItem }),
  last: event('response.completed', { response: wholeResponse }),
  whole: JSON.stringify(wholeResponse),
}

export const partsOf: Readonly<Record<Spoken, Parts>> = { chat, completions, responses, messages }
