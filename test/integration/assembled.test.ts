/** Answers that a host streams and its client gets whole: as good as the host's own, watched, and cancelled. */

import { APIError, APIUserAbortError } from 'openai'
import type { ChatCompletion } from 'openai/resources/chat/completions'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ChaosHost, pause, type ScriptStep } from '../kit/chaos-host.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { ask, clientOf, expectAtRest, gatewayBefore, model, oneHost, startDouble } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import type { LmxDoubleOptions } from '../kit/lmx-double/lmx-double.ts'
import { miniMaxToolCall } from '../kit/lmx-double/tool-calls.ts'
import { frame } from '../kit/sse-streams.ts'
import { within } from '../kit/within.ts'

const mark = 'x-lmx-gateway-assembled'
const streamUpstream = true

const assemblingHost = (options: LmxDoubleOptions = {}) => oneHost(options, { host: { streamUpstream } })

/** One double twice: as a host that answers, and as one that streams. */
async function bothWays(options: LmxDoubleOptions = {}) {
  const double = await startDouble(options)
  const host = { name: 'studio', url: double.url }
  const whole = await gatewayBefore([host])
  const assembled = await gatewayBefore([{ ...host, streamUpstream }])
  return { double, whole: clientOf(whole), assembled: clientOf(assembled), gateway: assembled }
}

/** Less what differs between two answers to one question. */
function steady<Answer extends object>(answer: Answer): Answer {
  const text = JSON.stringify({ ...answer, id: 'id', created: 0 }).replaceAll(/call_[0-9a-f]+/g, 'call_0')
  return JSON.parse(text) as Answer
}

async function withChaos(script: readonly ScriptStep[], relay: ConfigInput['relay'] = {}) {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const hosts = [{ name: 'chaos', url: host.url, kind: 'openai' as const, streamUpstream }]
  const gateway = await gatewayBefore(hosts, { relay })
  host.play(...script)
  return { host, gateway, client: clientOf(gateway, { maxRetries: 0 }) }
}

const chunk = (delta: object, reason: string | null = null) =>
  frame({
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model,
    choices: [{ index: 0, delta, finish_reason: reason }],
  })
const opening = chunk({ role: 'assistant', content: '' })
const word = chunk({ content: 'w ' })
const finish = chunk({}, 'stop')
const usage = { prompt_tokens: 3, completion_tokens: 9, total_tokens: 12 }
const ending = finish + frame({ id: 'c', choices: [], usage }) + 'data: [DONE]\n\n'

/** What the client is told of a failure. */
async function failureOf(answer: Promise<unknown>) {
  try {
    await answer
  } catch (error) {
    if (error instanceof APIError) return { status: error.status as unknown, code: error.code as unknown }
    throw error
  }
  throw new Error('was answered')
}

describe('the answer', () => {
  test('is one that was not streamed, and says how it was made', async () => {
    const { client, gateway, double } = await assemblingHost()
    const { data, response } = await client.chat.completions.create(ask('Say five words', 5)).withResponse()
    expect(data).toMatchObject({
      object: 'chat.completion',
      model,
      choices: [{ index: 0, message: { role: 'assistant', content: 'w0 w1 w2 w3 w4 ' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    })
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(JSON.stringify(data))),
      [mark]: 'true',
      'x-lmx-gateway-host': 'studio',
    })
    const [request] = double.inferenceRequests
    expect(request!.body.toString()).toBe(
      `{"stream_options":{"include_usage":true},"stream":true,${JSON.stringify(ask('Say five words', 5)).slice(1)}`,
    )
    const [outcome] = await gateway.outcomesOnce(1)
    expect(outcome!.fields).toMatchObject({ status: 200, end: '--', stream: false, tokensOut: 5, usage: 'reported' })
    expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(5)
  })

  test('is the same as that of a host that does not stream, but for what LMX tells otherwise', async () => {
    const { whole, assembled, gateway } = await bothWays()
    const ways = [whole, assembled]
    const [said, told] = (await Promise.all(
      ways.map(async (client) => steady(await client.chat.completions.create(ask('Say five words', 5)))),
    )) as [ChatCompletion, ChatCompletion]
    // LMX says of its streams that they stopped, whatever stopped them, and counts their prompts in another way.
    const streamed = { choices: [{ ...said.choices[0], finish_reason: 'stop' }], usage: told.usage }
    expect(told).toEqual({ ...said, ...streamed })
    expect(told.usage!.completion_tokens).toBe(said.usage!.completion_tokens)

    const twice = { ...ask('Twice', 3), n: 2 }
    const [two, twoTold] = await Promise.all(
      ways.map(async (client) => steady(await client.chat.completions.create(twice))),
    )
    expect(twoTold!.choices).toEqual(two!.choices)

    const prompt = { model, prompt: ['Once', 'Twice upon a time'], max_tokens: 3 }
    const [completion, completionTold] = await Promise.all(
      ways.map(async (client) => steady(await client.completions.create(prompt))),
    )
    expect(completionTold!.object).toBe('text_completion')
    expect(completionTold!.choices).toEqual(completion!.choices)
    // The streams of its completions tell no usage; the gateway counts the pieces, and tells nobody a guess.
    expect(completionTold!.usage).toBeUndefined()
    const counted = (await gateway.outcomesOnce(3)).find(({ fields }) => fields['endpoint'] === 'completions')
    expect(counted!.fields).toMatchObject({ tokensOut: 6, usage: 'counted' })
  })

  test('has the tool calls', async () => {
    const calls = [miniMaxToolCall('get_weather', { city: 'Zürich' }), miniMaxToolCall('get_time', { city: 'Bern' })]
    const { whole, assembled } = await bothWays({ reply: () => ['Let me look.', ...calls] })
    const body = { ...ask('Weather?'), tools: [{ type: 'function' as const, function: { name: 'get_weather' } }] }
    const said = steady(await whole.chat.completions.create(body))
    const told = steady(await assembled.chat.completions.create(body))
    expect(told.choices[0]!.message.tool_calls).toHaveLength(2)
    expect(told.choices).toEqual(said.choices)
  })

  test('that the client wants streamed is streamed as ever; what shows no content runs as ever', async () => {
    const { client, double } = await assemblingHost()
    const { data, response } = await client.chat.completions.create({ ...ask('Hi', 2), stream: true }).withResponse()
    for await (const { choices } of data) expect(choices.length).toBeLessThanOrEqual(1)
    expect(response.headers.get(mark)).toBeNull()
    const body = { model, input: 'Hi' }
    const answer = await client.responses.create(body).withResponse()
    expect(answer.response.headers.get(mark)).toBeNull()
    expect(double.inferenceRequests.at(-1)!.json).toEqual(body)
  })

  test('that a host gives as JSON, though it was asked for a stream, passes as it is', async () => {
    const whole = { id: 'c', object: 'chat.completion', created: 1, model, choices: [], usage, odd: [1] }
    const { client, gateway } = await withChaos([jsonResponseBytes(200, whole)])
    const { data, response } = await client.chat.completions.create(ask('Hi')).withResponse()
    expect(data).toEqual(whole)
    expect(response.headers.get(mark)).toBeNull()
    expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ end: '--', tokensOut: 9, usage: 'reported' })
  })

  test('is not made unless asked for', async () => {
    const { client, double } = await oneHost()
    const { response } = await client.chat.completions.create(ask('Hi', 1)).withResponse()
    expect(response.headers.get(mark)).toBeNull()
    expect(double.inferenceRequests[0]!.json).toEqual(ask('Hi', 1))
  })
})

describe('a client that leaves', () => {
  test.each([0, 3])('stops the host at once, after %i tokens', async (tokens) => {
    const { client, double, gateway } = await assemblingHost()
    double.faults.next(tokens === 0 ? { stallBeforeContent: true } : { stallAfterTokens: tokens })
    const controller = new AbortController()
    const answer = client.chat.completions.create(ask('I will leave', 50), { signal: controller.signal })
    const gone = expect(answer).rejects.toBeInstanceOf(APIUserAbortError)
    await double.waitFor((host) => host.running === 1 && host.tokensProduced === tokens, 'the work to begin')
    // In one process all that was written before is read before this resolves.
    await gateway.metrics()
    controller.abort()
    await within(5_000, 'the client to leave', gone)
    await double.waitFor((host) => host.running === 0, 'the end of the work')
    expect(double.inferenceRequests[0]!.endedBy).toBe('client_closed')
    const [outcome] = await gateway.outcomesOnce(1)
    expect(outcome!.fields).toMatchObject({
      status: 499,
      end: 'CF',
      stream: false,
      tokensOut: tokens,
      usage: tokens === 0 ? 'estimated' : 'counted',
    })
    await expectAtRest(gateway)
  })
})

describe('an answer that is not whole has a status that says so', () => {
  const headAnd = (...texts: readonly string[]) => [sseHeadBytes(), ...texts.map(chunkBytes)]

  test('504 when the host stops in the middle', async () => {
    const script: ScriptStep[] = [...headAnd(opening, word, word), pause]
    const { client, host, gateway } = await withChaos(script, { contentGapMsMax: 100 })
    const failed = await within(5_000, 'the end of patience', failureOf(client.chat.completions.create(ask('Hi'))))
    expect(failed).toEqual({ status: 504, code: 'upstream_stalled' })
    const exchange = await host.exchange()
    await exchange.peerLeft()
    await exchange.step()
    expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 504, tokensOut: 0, usage: 'none' })
  })

  test('504 when it never begins', async () => {
    const script: ScriptStep[] = [...headAnd(opening, ': ping\n\n'), pause]
    const { client, host } = await withChaos(script, { firstContentMsMax: 100, prefillTokensPerSecond: 1_000_000 })
    const failed = await within(5_000, 'the end of patience', failureOf(client.chat.completions.create(ask('Hi'))))
    expect(failed).toMatchObject({ status: 504 })
    await (await host.exchange()).step()
  })

  test.each<[string, readonly ScriptStep[]]>([
    ['a cut connection', [...headAnd(opening, word), chunkBytes(word).subarray(0, 9)]],
    ['an end without a reason', [...headAnd(opening, word, 'data: [DONE]\n\n'), finalChunk]],
    ['an error frame', [...headAnd(opening, word, frame({ error: { message: 'CUDA' } })), finalChunk]],
    ['a torn frame', [...headAnd(opening, word, 'data: {"choices":[{"de\n\n', ending), finalChunk]],
  ])('502 for %s', async (what, script) => {
    const cut = what === 'a cut connection'
    const { client, host, gateway } = await withChaos(cut ? [...script, pause] : script)
    const answer = failureOf(client.chat.completions.create(ask('Hi')))
    if (cut) {
      const exchange = await host.exchange()
      await exchange.paused()
      exchange.connection.socket.resetAndDestroy()
      await exchange.step()
    }
    expect(await answer).toMatchObject({ status: 502 })
    expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 502, stream: false })
  })

  test('502 for more than the bound of an answer, and the host is let go', async () => {
    const large = chunk({ content: 'x'.repeat(9_000) })
    const script: ScriptStep[] = [...headAnd(opening, large, large), pause]
    const { client, host } = await withChaos(script, { assembledBytesMax: 15_000 })
    const failed = await failureOf(client.chat.completions.create(ask('Hi')))
    expect(failed).toEqual({ status: 502, code: 'upstream_bad_response' })
    const exchange = await host.exchange()
    await exchange.peerLeft()
    await exchange.step()
  })

  test('what LMX writes into the text of its streams is an error again', async () => {
    const { double, gateway } = await assemblingHost()
    const client = clientOf(gateway, { maxRetries: 0 })
    double.faults.next({ errorAfterTokens: 3 })
    expect(await failureOf(client.chat.completions.create(ask('Hi', 9)))).toMatchObject({ status: 502 })
    double.faults.next({ lookalike: 'middle' })
    const prose = await client.chat.completions.create(ask('Hi', 9))
    expect(prose.choices[0]!.message.content).toContain('[Error: ')
    // A host that is busy has done nothing, so it is asked again.
    double.faults.next({ busy: true })
    const { response } = await client.chat.completions.create(ask('Hi', 9)).withResponse()
    expect(response.headers.get('x-lmx-gateway-attempts')).toBe('2')
  })

  test('a refusal is the host’s own', async () => {
    const error = { message: 'No such thing.', type: 'invalid_request_error', param: 'x', code: 'nope' }
    const { client } = await withChaos([jsonResponseBytes(400, { error })])
    expect(await failureOf(client.chat.completions.create(ask('Hi')))).toEqual({ status: 400, code: 'invalid_request' })
  })
})

test('it is whole when all was told, though the connection breaks before the end', async () => {
  const { client, host } = await withChaos([sseHeadBytes(), chunkBytes(opening + word + finish), pause])
  const answer = client.chat.completions.create(ask('Hi'))
  const exchange = await host.exchange()
  await exchange.paused()
  exchange.connection.socket.resetAndDestroy()
  await exchange.step()
  expect((await answer).choices[0]!.message.content).toBe('w ')
})

test('with [DONE] it is sent, whatever the host does with its connection', async () => {
  const { client, host } = await withChaos([sseHeadBytes(), chunkBytes(opening + word + ending), pause])
  const answer = await client.chat.completions.create(ask('Hi'))
  expect(answer).toMatchObject({ choices: [{ message: { content: 'w ' } }], usage })
  const exchange = await host.exchange()
  await exchange.peerLeft()
  await exchange.step()
})
