/**
 * The client libraries, each in every way in which its manual says to read an answer: what a program gets is the whole
 * answer or an error, told as the library tells errors. Their own retries are off.
 */

import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import Anthropic from '@anthropic-ai/sdk'
import { type AIMessageChunk, type BaseMessage, HumanMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, jsonSchema, streamText, tool } from 'ai'
import OpenAI from 'openai'
import type { GatewayUnderTest } from '../../kit/gateway-under-test.ts'
import type { Spoken } from './answers.ts'

export interface Answered {
  /** Text, or name and arguments of a tool call. */
  readonly text: string
  /** Why the answer ended, in the words of its dialect. */
  readonly finish: string | null | undefined
}

export interface Question {
  readonly gateway: GatewayUnderTest
  readonly model: string
  /** The model is given a tool. */
  readonly tools?: boolean | undefined
}

export interface Reader {
  readonly name: string
  readonly dialect: Spoken
  readonly streamed: boolean
  read(question: Question): Promise<Answered>
}

const content = 'Hello'
const messages = [{ role: 'user' as const, content }]
const parameters = { type: 'object' as const, properties: { city: { type: 'string' as const } } }
const weather = { type: 'function' as const, function: { name: 'get_weather', parameters } }
const toolsOf = ({ tools = false }: Question) => (tools ? { tools: [weather] } : {})
const callText = (name: string | undefined, input: unknown) => `${name ?? ''}${JSON.stringify(input)}`

/** They would write frames that they cannot read to the console. */
const quiet = { apiKey: 'any', maxRetries: 0, logLevel: 'off' as const }
const openai = ({ gateway }: Question) => new OpenAI({ baseURL: gateway.baseUrl, ...quiet })
const anthropic = ({ gateway }: Question) => new Anthropic({ baseURL: gateway.url, ...quiet })
const provider = ({ gateway }: Question) => createOpenAICompatible({ name: 'gateway', baseURL: gateway.baseUrl })
const langchain = ({ gateway, model }: Question, useResponsesApi = false) =>
  new ChatOpenAI({
    model,
    apiKey: 'any',
    maxRetries: 0,
    useResponsesApi,
    configuration: { baseURL: gateway.baseUrl, logLevel: 'off' },
  })

const openaiReaders: readonly Reader[] = [
  {
    name: 'openai, chat, for await',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      const asked = { model: question.model, messages, ...toolsOf(question), stream: true as const }
      let text = ''
      let finish: string | null = null
      for await (const { choices } of await openai(question).chat.completions.create(asked)) {
        const [choice] = choices
        text += choice?.delta.content ?? ''
        for (const { function: call } of choice?.delta.tool_calls ?? [])
          text += `${call?.name ?? ''}${call?.arguments ?? ''}`
        finish = choice?.finish_reason ?? finish
      }
      return { text, finish }
    },
  },
  {
    name: 'openai, chat, stream helper',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      const stream = openai(question).chat.completions.stream({ model: question.model, messages, ...toolsOf(question) })
      return openaiChoice((await stream.finalChatCompletion()).choices[0])
    },
  },
  {
    name: 'openai, chat, whole',
    dialect: 'chat',
    streamed: false,
    async read(question) {
      const answer = await openai(question).chat.completions.create({
        model: question.model,
        messages,
        ...toolsOf(question),
      })
      return openaiChoice(answer.choices[0])
    },
  },
  {
    name: 'openai, completions, for await',
    dialect: 'completions',
    streamed: true,
    async read(question) {
      let text = ''
      let finish: string | null = null
      for await (const { choices } of await openai(question).completions.create({
        model: question.model,
        prompt: content,
        stream: true,
      })) {
        text += choices[0]?.text ?? ''
        finish = choices[0]?.finish_reason ?? finish
      }
      return { text, finish }
    },
  },
  {
    name: 'openai, completions, whole',
    dialect: 'completions',
    streamed: false,
    async read(question) {
      const { choices } = await openai(question).completions.create({ model: question.model, prompt: content })
      return { text: choices[0]?.text ?? '', finish: choices[0]?.finish_reason }
    },
  },
  {
    name: 'openai, responses, for await',
    dialect: 'responses',
    streamed: true,
    async read(question) {
      let text = ''
      let finish: string | undefined
      for await (const event of await openai(question).responses.create({
        model: question.model,
        input: content,
        stream: true,
      })) {
        if (event.type === 'response.output_text.delta') text += event.delta
        if (event.type === 'response.completed' || event.type === 'response.incomplete') finish = event.response.status
      }
      return { text, finish }
    },
  },
  {
    name: 'openai, responses, stream helper',
    dialect: 'responses',
    streamed: true,
    async read(question) {
      const stream = openai(question).responses.stream({ model: question.model, input: content })
      const answer = await stream.finalResponse()
      return { text: answer.output_text, finish: answer.status }
    },
  },
  {
    name: 'openai, responses, whole',
    dialect: 'responses',
    streamed: false,
    async read(question) {
      const answer = await openai(question).responses.create({ model: question.model, input: content })
      return { text: answer.output_text, finish: answer.status }
    },
  },
]

function openaiChoice(choice: OpenAI.ChatCompletion.Choice | undefined): Answered {
  let text = choice?.message.content ?? ''
  for (const call of choice?.message.tool_calls ?? [])
    if (call.type === 'function') text += `${call.function.name}${call.function.arguments}`
  return { text, finish: choice?.finish_reason }
}

const anthropicReaders: readonly Reader[] = [
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

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
const aiTools = { get_weather: tool({ inputSchema: jsonSchema(parameters) }) }
/** A stream of this library tells an error by a callback, or by a part of its own. */
const aiAsked = (question: Question) => ({
  model: provider(question).chatModel(question.model),
  prompt: content,
  maxRetries: 0,
  tools: question.tools === true ? aiTools : {},
})

const aiReaders: readonly Reader[] = [
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

const langchainReaders: readonly Reader[] = [
  {
    name: 'langchain, stream',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      let whole: AIMessageChunk | undefined
      for await (const piece of await langchain(question)
        .bindTools(toolsOf(question).tools ?? [])
        .stream(content))
        whole = whole === undefined ? piece : whole.concat(piece)
      return langchainAnswer(whole)
    },
  },
  {
    name: 'langchain, whole',
    dialect: 'chat',
    streamed: false,
    read: async (question) =>
      langchainAnswer(
        await langchain(question)
          .bindTools(toolsOf(question).tools ?? [])
          .invoke([new HumanMessage(content)]),
      ),
  },
  {
    name: 'langchain, responses, stream',
    dialect: 'responses',
    streamed: true,
    async read(question) {
      let whole: AIMessageChunk | undefined
      for await (const piece of await langchain(question, true).stream(content))
        whole = whole === undefined ? piece : whole.concat(piece)
      return { text: whole?.text ?? '', finish: statusOf(whole) }
    },
  },
  {
    name: 'langchain, responses, whole',
    dialect: 'responses',
    streamed: false,
    async read(question) {
      const answer = await langchain(question, true).invoke(content)
      return { text: answer.text, finish: statusOf(answer) }
    },
  },
]

function langchainAnswer(message: AIMessageChunk | undefined): Answered {
  const calls = (message?.tool_calls ?? []).map(({ name, args }) => callText(name, args)).join('')
  const finish = message?.response_metadata['finish_reason'] as string | undefined
  return { text: (message?.text ?? '') + calls, finish }
}

function statusOf(message: BaseMessage | undefined): string | undefined {
  return message?.response_metadata['status'] as string | undefined
}

export const readers: readonly Reader[] = [...openaiReaders, ...anthropicReaders, ...aiReaders, ...langchainReaders]
export const streamReaders: readonly Reader[] = readers.filter(({ streamed }) => streamed)
export const wholeReaders: readonly Reader[] = readers.filter(({ streamed }) => !streamed)

/** Of two choices, the texts one behind the other. */
export const twoChoiceReaders: readonly Reader[] = [
  {
    name: 'openai, two choices, for await',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      const texts = ['', '']
      const finishes = new Set<string>()
      const asked = { model: question.model, messages, n: 2, stream: true as const }
      for await (const { choices } of await openai(question).chat.completions.create(asked)) {
        for (const { index, delta, finish_reason: reason } of choices) {
          texts[index] += delta.content ?? ''
          if (reason !== null) finishes.add(reason)
        }
      }
      return { text: texts.join(''), finish: [...finishes].join(' ') }
    },
  },
  {
    name: 'openai, two choices, stream helper',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      const stream = openai(question).chat.completions.stream({ model: question.model, messages, n: 2 })
      const answers = (await stream.finalChatCompletion()).choices.map(openaiChoice)
      return { text: answers.map(({ text }) => text).join(''), finish: answers[0]?.finish }
    },
  },
]
