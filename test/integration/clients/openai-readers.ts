/** The official OpenAI client: chat, completions and responses, each as its manual reads them. */

import OpenAI from 'openai'
import { type Answered, content, messages, type Question, quiet, type Reader, weather } from './reader.ts'

const openai = ({ gateway }: Question) => new OpenAI({ baseURL: gateway.baseUrl, ...quiet })
const toolsOf = ({ tools = false }: Question) => (tools ? { tools: [weather] } : {})

export const openaiReaders: readonly Reader[] = [
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
