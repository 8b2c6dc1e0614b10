/** LangChain's chat model for OpenAI, over chat completions and over responses. */

import { type AIMessageChunk, type BaseMessage, HumanMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { type Answered, callText, content, type Question, type Reader, weather } from './reader.ts'

const langchain = ({ gateway, model }: Question, useResponsesApi = false) =>
  new ChatOpenAI({
    model,
    apiKey: 'any',
    maxRetries: 0,
    useResponsesApi,
    configuration: { baseURL: gateway.baseUrl, logLevel: 'off' },
  })

export const langchainReaders: readonly Reader[] = [
  {
    name: 'langchain, stream',
    dialect: 'chat',
    streamed: true,
    async read(question) {
      let whole: AIMessageChunk | undefined
      for await (const piece of await langchain(question)
        .bindTools(question.tools === true ? [weather] : [])
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
          .bindTools(question.tools === true ? [weather] : [])
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
