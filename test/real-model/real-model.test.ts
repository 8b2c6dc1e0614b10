/** The main job on real input: the official client, through the gateway, before two engines that run a real model. */

import OpenAI, { APIUserAbortError } from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { within } from '../kit/within.ts'
import type { EngineState } from './engine.ts'
import { EngineProcess, GatewayProcess, until } from './processes.ts'

const model = 'tiny-chat'
/** What the gateway gives a host of no particular kind. */
const slots = 4
const answerMsMax = 30_000
/** Twenty times the 250 ms in which a client's leaving is to reach the host. */
const abortMsMax = 5_000
const settleMsMax = 5_000

const engines: EngineProcess[] = []
let gateway: GatewayProcess
let client: OpenAI
/** For information only: no test asserts a speed. */
const measured: string[] = []

beforeAll(async () => {
  engines.push(...(await Promise.all([EngineProcess.start(slots), EngineProcess.start(slots)])))
  gateway = await GatewayProcess.start(engines.map((engine) => engine.url))
  await until(settleMsMax, 'the gateway to have found both engines', async () => {
    return (await gateway.metric('lmx_gateway_host_up')) === engines.length
  })
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
})

afterAll(async () => {
  const exitCode = await gateway?.end()
  await Promise.all(engines.map((engine) => engine.end()))
  process.stdout.write(measured.map((line) => `  measured: ${line}\n`).join(''))
  expect(exitCode, "the gateway's exit code after SIGTERM").toBe(0)
})

test('a story streams in pieces and ends by itself', async () => {
  const chunks = await streamed(story)
  const pieces = chunks.map((chunk) => chunk.choices[0]?.delta.content).filter((piece) => piece)
  expect(pieces.join('')).toMatch(/^Once upon a time .* The end\.$/)
  expect(pieces.length).toBeGreaterThan(20)
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
  expect(
    chunks.filter((chunk) => chunk.usage),
    'usage that nobody asked for',
  ).toEqual([])
})

test('a sum at temperature 0 is right, streamed or not', async () => {
  const whole = await answer(sum(3, 4))
  expect(whole.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: '3 plus 4 is 7.' } })
  expect(textOf(await streamed(sum(3, 4)))).toBe('3 plus 4 is 7.')
})

test('an answer that was cut short says so', async () => {
  const cut = await answer({ ...story, max_completion_tokens: 5 })
  expect(cut.choices[0]?.finish_reason).toBe('length')
  expect(cut.usage?.completion_tokens).toBe(5)
})

describe("usage is the engine's own count", () => {
  test.each([
    ['not streamed', async () => (await answer(story)).usage],
    ['streamed', async () => (await streamed({ ...story, stream_options: { include_usage: true } })).at(-1)?.usage],
  ])('%s', async (_form, ask) => {
    const before = await counts()
    const usage = await ask()
    const used = await since(before)
    expect(used.completionTokens).toBeGreaterThan(20)
    expect(usage).toMatchObject({
      prompt_tokens: used.promptTokens,
      completion_tokens: used.completionTokens,
      total_tokens: used.promptTokens + used.completionTokens,
    })
  })

  test('and so are the metrics, also where the client asked for no usage', async () => {
    const [before, inputBefore, outputBefore] = await Promise.all([counts(), tokens('input'), tokens('output')])
    await Promise.all([streamed(story), answer(sum(2, 5)), streamed(sum(5, 5))])
    const used = await since(before)
    await until(settleMsMax, `${used.promptTokens} input and ${used.completionTokens} output tokens`, async () => {
      const [input, output] = await Promise.all([tokens('input'), tokens('output')])
      return input - inputBefore === used.promptTokens && output - outputBefore === used.completionTokens
    })
    expect(used.completed).toBe(3)
  })
})

test('eight at once are all answered, by both engines', async () => {
  const before = await Promise.all(engines.map((engine) => engine.state()))
  const startedMs = performance.now()
  const [stories, sums] = await Promise.all([
    Promise.all(Array.from({ length: 4 }, () => streamed(story))),
    Promise.all([2, 3, 5, 6].map((number) => answer(sum(number, 2)))),
  ])
  const tookMs = performance.now() - startedMs

  for (const chunks of stories) expect(textOf(chunks)).toMatch(/^Once upon a time .* The end\.$/)
  expect(sums.map((whole) => whole.choices[0]?.message.content)).toEqual([
    '2 plus 2 is 4.',
    '3 plus 2 is 5.',
    '5 plus 2 is 7.',
    '6 plus 2 is 8.',
  ])
  const after = await Promise.all(engines.map((engine) => engine.state()))
  const completed = after.map((state, index) => state.completed - before[index]!.completed)
  expect(completed.reduce((all, one) => all + one)).toBe(8)
  expect(Math.min(...completed)).toBeGreaterThan(0)
  const generated = sumOf(after).completionTokens - sumOf(before).completionTokens
  measured.push(`eight at once: ${perSecond(generated, tookMs)}, the engines answered ${completed.join(' and ')}`)
})

test('what the engines have no slot for waits in the gateway and not in them', async () => {
  const before = await counts()
  const chunks = await Promise.all(Array.from({ length: engines.length * slots * 2 }, () => streamed(story)))
  for (const one of chunks) expect(textOf(one)).toMatch(/ The end\.$/)
  expect((await since(before)).completed).toBe(chunks.length)
  expect((await counts()).waitingPeak).toBe(0)
})

describe('a client that leaves frees the engine at once', () => {
  // Only an abort ends this: it goes on past the end of the answer for more than a minute.
  const endless = { ...sum(3, 4), max_completion_tokens: 100_000, ignore_eos: true }

  test('in the middle of a stream', async () => {
    const before = await counts()
    const stream = await client.chat.completions.create({ ...endless, stream: true })
    let pieces = 0
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) pieces += 1
      if (pieces < 20) continue
      // Pieces come while the engine works and are not kept for its end.
      expect((await counts()).running).toBe(1)
      break
    }
    stream.controller.abort()
    await engineIsFree(before)
    expect(pieces).toBe(20)
  })

  test('while it waits for an answer that is not streamed', async () => {
    const before = await counts()
    const leaving = new AbortController()
    const left = expect(client.chat.completions.create(endless, { signal: leaving.signal })).rejects.toThrow(
      APIUserAbortError,
    )
    await until(settleMsMax, 'the engine to be at work', async () => (await counts()).running === 1)
    leaving.abort()
    await engineIsFree(before)
    await left
  })

  test('as often as it likes: no slot is lost', async () => {
    const before = await counts()
    const clients = engines.length * slots
    const leaving = new AbortController()
    const left = Array.from({ length: clients }, () =>
      expect(client.chat.completions.create(endless, { signal: leaving.signal })).rejects.toThrow(),
    )
    await until(settleMsMax, 'every slot to be taken', async () => (await counts()).running === clients)
    leaving.abort()
    await engineIsFree(before, clients)
    await Promise.all(left)
    expect((await Promise.all(left.map(() => streamed(sum(3, 4))))).map(textOf)).toEqual(
      left.map(() => '3 plus 4 is 7.'),
    )
  })

  async function engineIsFree(before: EngineState, aborted = 1): Promise<void> {
    const leftMs = performance.now()
    await until(abortMsMax, 'the engine to be free', async () => {
      const state = await counts()
      return state.running === 0 && state.aborted === before.aborted + aborted
    })
    measured.push(`${aborted} left, and the engines were free within ${Math.ceil(performance.now() - leftMs)} ms`)
  }
})

test('one stream alone', async () => {
  const before = await counts()
  const startedMs = performance.now()
  await streamed(story)
  const tookMs = performance.now() - startedMs
  const used = await since(before)
  expect(used.completed).toBe(1)
  measured.push(
    `one stream: ${perSecond(used.completionTokens, tookMs)} at the client, ${perSecond(used.completionTokens, used.generatingMs)} in the engine`,
  )
})

const story = { model, temperature: 0, messages: [{ role: 'user' as const, content: 'Tell me a story.' }] }

function sum(a: number, b: number) {
  return { model, temperature: 0, messages: [{ role: 'user' as const, content: `What is ${a} plus ${b}?` }] }
}

async function answer(request: OpenAI.ChatCompletionCreateParamsNonStreaming): Promise<OpenAI.ChatCompletion> {
  return within(answerMsMax, 'an answer', client.chat.completions.create(request))
}

async function streamed(
  request: Omit<OpenAI.ChatCompletionCreateParamsStreaming, 'stream'>,
): Promise<OpenAI.ChatCompletionChunk[]> {
  const readAll = async () => {
    const stream = await client.chat.completions.create({ ...request, stream: true })
    const chunks: OpenAI.ChatCompletionChunk[] = []
    for await (const chunk of stream) chunks.push(chunk)
    return chunks
  }
  return within(answerMsMax, 'a stream to end', readAll())
}

function textOf(chunks: readonly OpenAI.ChatCompletionChunk[]): string {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
}

async function tokens(type: 'input' | 'output'): Promise<number> {
  return gateway.metric('lmx_gateway_tokens_total', `type="${type}"`)
}

/** Of both engines together. */
async function counts(): Promise<EngineState> {
  return sumOf(await Promise.all(engines.map((engine) => engine.state())))
}

async function since(before: EngineState): Promise<EngineState> {
  const after = await counts()
  return combined([after, before], ([now, then]) => now! - then!)
}

function sumOf(states: readonly EngineState[]): EngineState {
  return combined(states, (values) => values.reduce((all, one) => all + one, 0))
}

function combined(states: readonly EngineState[], combine: (values: number[]) => number): EngineState {
  const names = Object.keys(states[0]!) as (keyof EngineState)[]
  const entries = names.map((name) => [name, combine(states.map((state) => state[name]))])
  return Object.fromEntries(entries) as EngineState
}

function perSecond(generated: number, ms: number): string {
  return `${Math.round((generated * 1_000) / ms)} tokens/s`
}
