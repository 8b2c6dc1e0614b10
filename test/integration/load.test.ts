/** Many at once: every stream ends whole, no slot is lost, and clients, metrics and hosts agree to the token. */

import { expect, test } from 'vitest'
import { ask, clientOf, gatewayBefore, gaugeReaches, model, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { within } from '../kit/within.ts'

const done = 'data: [DONE]\n\n'

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content: string | null } }[]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

async function threeHosts(slots: number): Promise<{ doubles: LmxDouble[]; gateway: GatewayUnderTest }> {
  const doubles: LmxDouble[] = []
  for (const [index, decodeTokensPerSecond] of [100, 150, 200].entries()) {
    const cost = { ttftMs: 5, decodeTokensPerSecond, jitter: 0.3 }
    doubles.push(await startDouble({ slots, cost, seed: index }))
  }
  const gateway = await gatewayBefore(
    doubles.map(({ url }, index) => ({ name: `host-${index}`, url, slots })),
    { queue: { lengthMax: 200 } },
  )
  return { doubles, gateway }
}

const total = (doubles: readonly LmxDouble[], of: (double: LmxDouble) => number) =>
  doubles.reduce((sum, double) => sum + of(double), 0)

function chunksOf(body: string): Chunk[] {
  const frames = body.split('\n\n').filter((frame) => frame.startsWith('data: {'))
  return frames.map((frame) => JSON.parse(frame.slice('data: '.length)) as Chunk)
}

test('200 streams over three hosts: all whole, and the sums are the same everywhere', async () => {
  const { doubles, gateway } = await threeHosts(50)
  const client = clientOf(gateway, { maxRetries: 0 })
  const bodies = await within(
    25_000,
    '200 whole streams',
    Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        // Lengths differ, so that a sum over the wrong ones would show.
        const body = ask(`Stream ${'x'.repeat(index)}`, 10 + (index % 21))
        const options = { stream: true, stream_options: { include_usage: true } } as const
        const response = await client.chat.completions.create({ ...body, ...options }).asResponse()
        return response.text()
      }),
    ),
  )
  expect(bodies.filter((body) => body.endsWith(done))).toHaveLength(200)
  const sums = { deltas: 0, output: 0, input: 0 }
  for (const [index, body] of bodies.entries()) {
    const chunks = chunksOf(body)
    const deltas = chunks.filter(({ choices }) => choices[0]?.delta.content).length
    const usage = chunks.at(-1)!.usage!
    expect(usage.completion_tokens).toBe(10 + (index % 21))
    expect(deltas).toBe(usage.completion_tokens)
    sums.deltas += deltas
    sums.output += usage.completion_tokens
    sums.input += usage.prompt_tokens
  }
  expect(sums.output).toBe(total(doubles, ({ tokensProduced }) => tokensProduced))
  expect(sums.input).toBe(total(doubles, ({ promptTokens }) => promptTokens))
  expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(sums.output)
  expect(await gateway.sum('tokens_total', { type: 'input' })).toBe(sums.input)
  for (const [index, double] of doubles.entries()) {
    const host = `host-${index}`
    expect(await gateway.sum('tokens_total', { type: 'output', host })).toBe(double.tokensProduced)
    expect(double.arrivedConcurrentMax).toBeLessThanOrEqual(50)
    expect(double.inferenceRequests.length).toBeGreaterThanOrEqual(20)
  }

  await gaugeReaches(gateway, 'host_inflight', 0)
  await gaugeReaches(gateway, 'queue_depth', 0)
  expect(doubles.map(({ running, waiting }) => ({ running, waiting }))).toEqual(
    doubles.map(() => ({ running: 0, waiting: 0 })),
  )
  expect(await gateway.sum('requests_total')).toBe(200)
  expect(await gateway.sum('requests_total', { model, status: '200', end: '--' })).toBe(200)
  expect(await gateway.sum('request_duration_seconds_count')).toBe(200)
  expect(await gateway.sum('time_to_first_token_seconds_count')).toBe(200)
  expect(await gateway.metric('queue_wait_seconds_count', { model, class: 'default', outcome: 'granted' })).toBe(200)
})

test('a mixture with faults and clients that leave: one outcome each, and nothing is left over', async () => {
  const { doubles, gateway } = await threeHosts(8)
  const client = clientOf(gateway, { maxRetries: 0 })
  const kinds: ((index: number) => Promise<unknown>)[] = [
    async (index) => client.chat.completions.create(ask(`whole ${index}`, 8)),
    async (index) => {
      const stream = await client.chat.completions.create({ ...ask(`streamed ${index}`, 8), stream: true })
      for await (const chunk of stream) expect(chunk.choices).toHaveLength(1)
    },
    async (index) => {
      const stream = await client.chat.completions.create({ ...ask(`left ${index}`, 50), stream: true })
      let chunks = 0
      for await (const chunk of stream) if ((chunks += chunk.choices.length) > index % 7) break
    },
    async (index) => {
      // Leaves wherever it is by then: in line, before its first token, or later.
      const signal = AbortSignal.timeout(index % 40)
      return client.chat.completions.create({ ...ask(`late ${index}`, 30), stream: index % 2 === 0 }, { signal })
    },
    async (index) => {
      const fault = index % 2 === 0 ? '{"cutAfterTokens":3}' : '{"internalError":true}'
      const stream = await client.chat.completions.create({ ...ask(`[[fault:${fault}]] ${index}`, 8), stream: true })
      for await (const chunk of stream) expect(chunk.choices).toHaveLength(1)
    },
    async (index) => client.completions.create({ model, prompt: `prompt ${index}`, max_tokens: 8 }),
  ]
  const requests = Array.from({ length: 120 }, (_, index) => kinds[index % kinds.length]!(index))
  const ends = await within(25_000, '120 requests to end', Promise.allSettled(requests))
  const toBeServed = ends.filter((_, index) => [0, 1, 5].includes(index % kinds.length))
  expect(toBeServed.filter(({ status }) => status === 'rejected')).toEqual([])
  await gaugeReaches(gateway, 'host_inflight', 0)
  await gaugeReaches(gateway, 'queue_depth', 0)
  // Only those whose client left before anything was sent may have none.
  const outcomes = gateway.outcomes()
  expect(outcomes.length).toBeGreaterThanOrEqual(100)
  expect(await gateway.sum('requests_total')).toBe(outcomes.length)
  const known = /^(?:200 --|200 UD|502 UH|502 UF|499 C[RAQCHFD])$/
  const others = outcomes.map(({ fields }) => `${String(fields['status'])} ${String(fields['end'])}`)
  expect(others.filter((end) => !known.test(end))).toEqual([])
  // LMX works on at whole answers that nobody waits for any more.
  for (const double of doubles) await double.waitFor(({ running }) => running === 0, 'the end of all work')
  expect(await gateway.sum('tokens_total', { type: 'output' })).toBeLessThanOrEqual(
    total(doubles, ({ tokensProduced }) => tokensProduced),
  )
})
