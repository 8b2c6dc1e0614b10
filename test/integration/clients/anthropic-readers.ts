/** The official Anthropic client. */

import Anthropic from '@anthropic-ai/sdk'
import { type Answered, messages, type Question, quiet, type Reader } from './reader.ts'

const anthropic = ({ gateway }: Question) => new Anthropic({ baseURL: gateway.url, ...quiet })

export const anthropicReaders: readonly Reader[] = [
  {
    name: 'anthropic, for await',
    dialect: 'messages',
    streamed: true,
    async read(question) {
      const stream = await anthropic(question).messages.create({
        model: question.model,
        messages,
        max_tokens: 3,
        stream: true,
      })
      let text = ''
      let finish: string | null = null
      for await (const event of stream) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
        if (event.type === 'message_delta') finish = event.delta.stop_reason
      }
      return { text, finish }
    },
  },
  {
    name: 'anthropic, stream helper',
    dialect: 'messages',
    streamed: true,
    async read(question) {
      const stream = anthropic(question).messages.stream({ model: question.model, messages, max_tokens: 3 })
      return anthropicAnswer(await stream.finalMessage())
    },
  },
  {
    name: 'anthropic, whole',
    dialect: 'messages',
    streamed: false,
    read: async (question) =>
      anthropicAnswer(await anthropic(question).messages.create({ model: question.model, messages, max_tokens: 3 })),
  },
]

function anthropicAnswer({ content: blocks, stop_reason: finish }: Anthropic.Message): Answered {
  return { text: blocks.map((block) => (block.type === 'text' ? block.text : '')).join(''), finish }
}
