/** Client libraries read a stream to its end that told its place in the line before; what waits were is in the metrics. */
import { expect, test } from 'vitest'
import { heartbeatInLine } from '../../src/wire/heartbeat.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gaugeReaches, model, oneHost } from '../kit/fleet.ts'
import { chunkBytes, finalChunk } from '../kit/http-bytes.ts'
import { within } from '../kit/within.ts'
import { partsOf, text } from './clients/answers.ts'
import { streamReaders } from './clients/readers.ts'
import { readingsOf, sse } from './clients/stage.ts'

const once = { maxRetries: 0 }
const queueEvents = { headers: { 'x-lmx-gateway-queue-events': '1' } }

/** One slot, whose answers take as long as the test wants; streams that wait are told so each 10 ms. */
async function heldHost(heartbeat: 'off' | 'chunk' = 'off') {
  const clock = new FakeClock()
  const relay = { heartbeat, headerHoldMs: 10, heartbeatMs: 10 }
  const host = await oneHost({ clock, slots: 1, cost: { ttftMs: 100 } }, { host: { slots: 1 }, relay })
  return { ...host, finish: () => clock.advance(100) }
}

/** What a client was sent, beside what it makes of it. */
function recordingFetch() {
  let body: Promise<string> | undefined
  const recording: typeof fetch = async (...asked) => {
    const response = await fetch(...asked)
    body = response.clone().text()
    return response
  }
  return { recording, bytes: () => body }
}

test.each(['off', 'chunk'] as const)(
  'the official client waits and then reads its answer; heartbeats are %s',
  async (form) => {
    const { client, double, gateway, finish } = await heldHost(form)
    const { recording, bytes } = recordingFetch()
    const holder = client.chat.completions.create(ask('holder', 1), once)
    await double.waitFor(({ running }) => running === 1, 'the holder at the host')
    // Resolved by the headers, which come with the first comment.
    const stream = await within(
      5_000,
      'the headers of one that waits',
      clientOf(gateway, { fetch: recording }).chat.completions.create(
        { ...ask('waiter', 3), stream: true },
        { ...once, ...queueEvents },
      ),
    )
    expect(await gateway.sum('queue_depth')).toBe(1)
    await finish()
    await holder
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the one that waited')
    await finish()
    let content = ''
    let finishReason: string | null = null
    for await (const { choices } of stream) {
      content += choices[0]?.delta.content ?? ''
      finishReason = choices[0]?.finish_reason ?? finishReason
    }
    expect([content.trim(), finishReason]).toEqual(['w0 w1 w2', 'stop'])
    expect(await bytes()).toMatch(/^: lmx-gateway \{"queue":\{.*\}\}\n\n/)
  },
)

test('no client library takes harm of such comments before the first content', async () => {
  const wait = { position: 3, aheadInKey: 1, keysWaiting: 2, p50Ms: 12_300, p90Ms: null }
  const place = { ...wait, class: 'default', waitsFor: 'slot' } as const
  const beats = heartbeatInLine('', place).repeat(3)
  const readings = await readingsOf({
    readers: streamReaders,
    // Comments of a host pass as they are.
    script(dialect) {
      const { opening, content, closing, last } = partsOf[dialect]
      const [head, ...frames] = sse(opening, content, closing, last)
      return [head!, chunkBytes(beats), ...frames, finalChunk]
    },
  })
  expect(Object.keys(readings).length).toBeGreaterThan(5)
  for (const [name, reading] of Object.entries(readings)) expect(reading, name).toMatchObject({ text })
})

test('metrics tell who waits, and afterwards how long beside what was told', async () => {
  const { client, double, gateway, finish } = await heldHost()
  const chat = (content: string) => client.chat.completions.create(ask(content, 1), once)
  const answers: Promise<unknown>[] = [chat('learnt from')]
  await double.waitFor(({ running }) => running === 1, 'the first at the host')
  await finish()
  await Promise.all(answers)
  for (const index of [1, 2, 3]) {
    answers.push(chat(`client ${index}`))
    if (index === 1) await double.waitFor(({ running }) => running === 1, 'the holder at the host')
    else await gaugeReaches(gateway, 'queue_depth', index - 1, { model, class: 'default' })
  }
  expect(await gateway.metric('queue_estimated_tokens', { model, class: 'default' })).toBeGreaterThan(2)
  expect(await gateway.metric('queue_oldest_age_seconds', { model, class: 'default' })).toBeGreaterThan(0)
  expect(await gateway.metric('key_queue_depth', { key: 'anonymous' })).toBe(2)
  expect(await gateway.metric('key_inflight', { key: 'anonymous' })).toBe(1)
  expect(await gateway.metric('fairness_gap_cost')).toBe(0)
  for (const served of [2, 3, 4]) {
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === served, `request ${served}`)
    await finish()
  }
  await within(5_000, 'all answers', Promise.all(answers))
  await gateway.outcomesOnce(4)
  const granted = { model, class: 'default', outcome: 'granted' }
  expect(await gateway.metric('queue_wait_seconds_count', granted)).toBe(4)
  // Two of them had to wait, and something was known by then of how long a slot is held.
  expect(await gateway.metric('wait_estimate_ratio_count', { model })).toBe(2)
  expect(await gateway.metric('wait_estimate_ratio_sum', { model })).toBeGreaterThan(0)
  expect(await gateway.metric('wait_estimate_p90_misses_total', { model })).toBeLessThanOrEqual(2)
  const tokens = (type: string) => gateway.sum('tokens_total', { key: 'anonymous', type })
  const [input, cached, output] = await Promise.all(['input', 'cached_input', 'output'].map(tokens))
  expect(output).toBe(4)
  expect(await gateway.metric('key_service_cost_total', { key: 'anonymous' })).toBe(input! - cached! + 2 * output!)
  expect(await gateway.metric('key_inflight', { key: 'anonymous' })).toBe(0)
})

test('two keys that wait are told apart', async () => {
  const { double, gateway, finish } = await heldHost()
  const keys = [await gateway.createKey({ name: 'alice' }), await gateway.createKey({ name: 'bob' })]
  const [alice, bob] = keys.map(({ key }) => clientOf(gateway, { apiKey: key }))
  const answers: Promise<unknown>[] = [alice!.chat.completions.create(ask('holder', 1), once)]
  await double.waitFor(({ running }) => running === 1, 'the holder at the host')
  for (const client of [alice!, bob!]) {
    answers.push(client.chat.completions.create(ask('short', 1), once))
    await gaugeReaches(gateway, 'queue_depth', answers.length - 1)
  }
  for (const key of ['alice', 'bob']) expect(await gateway.metric('key_queue_depth', { key })).toBe(1)
  expect(await gateway.metric('key_inflight', { key: 'alice' })).toBe(1)
  for (const served of [1, 2, 3]) {
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === served, `request ${served}`)
    await finish()
  }
  await within(5_000, 'all answers', Promise.all(answers))
})
