/** The library `ai` with the provider for servers like OpenAI's. */

import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, streamText, tool } from 'ai'
import { callText, content, parameters, type Question, type Reader } from './reader.ts'

// It would warn on the console of settings that a completion does not have.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

const provider = ({ gateway }: Question) => createOpenAICompatible({ name: 'gateway', baseURL: gateway.baseUrl })
const aiTools = { get_weather: tool({ inputSchema: jsonSchema(parameters) }) }
/** A stream of this library tells an error by a callback, or by a part of its own. */
const aiAsked = (question: Question) => ({
  model: provider(question).chatModel(question.model),
  prompt: content,
  maxRetries: 0,
  tools: question.tools === true ? aiTools : {},
})

export const aiReaders: readonly Reader[] = [
  {
    name: 'ai, text stream and onError',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      const errors: unknown[] = []
      const onError = ({ error }: { error: unknown }) => {
        errors.push(error)
      }
      const result = streamText({ ...aiAsked(question), onError })
      let text = ''
      try {
        for await (const piece of result.textStream) text += piece
      } catch (error) {
        // The error frame comes first, then the break of the connection, which is thrown.
        errors.push(error)
      }
      if (errors.length > 0) throw asError(errors[0])
      for (const { toolName, input } of await result.toolCalls) text += callText(toolName, input)
      return { text, finish: aiFinish(await result.finishReason) }
    },
  },
  {
    name: 'ai, stream of parts',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      const { stream } = streamText({ ...aiAsked(question), onError: () => {} })
      let text = ''
      let finish: string | undefined
      for await (const part of stream) {
        if (part.type === 'error') throw asError(part.error)
        if (part.type === 'text-delta') text += part.text
        if (part.type === 'tool-call') text += callText(part.toolName, part.input)
        if (part.type === 'finish') finish = aiFinish(part.finishReason)
      }
      return { text, finish }
    },
  },
  {
    name: 'ai, whole',
    dialect: 'chat',
    streamed: false,
    async read(question) {
      const { text, toolCalls, finishReason } = await generateText(aiAsked(question))
      const calls = toolCalls.map(({ toolName, input }) => callText(toolName, input)).join('')
      return { text: text + calls, finish: aiFinish(finishReason) }
    },
  },
  {
    name: 'ai, completions, stream of parts',
    dialect: 'completions',
    streamed: true,
    async read(question) {
      const completion = provider(question).completionModel(question.model)
      const { stream } = streamText({ model: completion, prompt: content, maxRetries: 0, onError: () => {} })
      let text = ''
      let finish: string | undefined
      for await (const part of stream) {
        if (part.type === 'error') throw asError(part.error)
        if (part.type === 'text-delta') text += part.text
        if (part.type === 'finish') finish = part.finishReason
      }
      return { text, finish }
    },
  },
]

function asError(error: unknown): Error {
  return error instanceof Error ? error : Object.assign(new Error('an error part'), error)
}

const aiFinish = (reason: string): string => reason.replace('-', '_')
