/**
 * One key floods, another asks now and then: what the second one notices of it, over real sockets and before a host whose
 * answers take as long as those of a model on a large machine. Time runs faster, and stands still while this process does.
 */
import { type ClientRequest, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type OpenAI from 'openai'
import { APIUserAbortError } from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, expectAtRest, startDouble } from '../kit/fleet.ts'
import { type CreatedKey, type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { SeededRandom } from '../soak/seeded-random.ts'

const isLong = process.env['TEST_LONG'] === 'true'

const slots = 4
/** A model of 30 billion parameters, 3 of them active, on an M4 Max. */
const cost = { ttftMs: 300, prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 98, batchSlowdown: 0.28 }
const flood = { requests: 300, answerTokensMin: 300, answerTokensMax: 400 }
/** Four characters are a token. */
const chat = { prompt: 'word'.repeat(2_000), answerTokens: 50, everyMs: 8_000, requests: isLong ? 100 : 20 }
/** By how much first-come must miss what holds for token-fair. */
const missed = 5
/** More than that, whatever the bound turns out to be. */
const givesUpAfterMs = 60_000
/** One such step takes a millisecond, or more where the machine is busy. */
const stepMs = 20

interface Scene {
  readonly clock: FakeClock
  readonly double: LmxDouble
  readonly gateway: GatewayUnderTest
  readonly flooding: CreatedKey
  readonly chatting: OpenAI
}

test('a key that asks now and then hardly notices the flood of another one, and waits for long where the first to come goes first', async () => {
  const [quiet, fair, unfair] = await Promise.all([sceneOf('token-fair'), sceneOf('token-fair'), sceneOf('first-come')])
  const [quietMs, fairMs, unfairMs] = await Promise.all([
    chatOf(quiet, chat.requests),
    duringFlood(fair, () => chatOf(fair, chat.requests)),
    duringFlood(unfair, () => chatOf(unfair, 3)),
  ])
  const boundMs = 3 * p95(quietMs) + meanServiceMs(fair.double) / slots
  expect(p95(fairMs)).toBeLessThanOrEqual(boundMs)
  expect(Math.min(...unfairMs)).toBeGreaterThanOrEqual(missed * boundMs)
}, 240_000)

async function sceneOf(order: 'token-fair' | 'first-come'): Promise<Scene> {
  const clock = new FakeClock()
  const double = await startDouble({ slots, cost, clock })
  const gateway = await startGateway(
    {
      hosts: [{ name: 'studio', url: double.url, slots }],
      queue: { order, lengthMax: 1_000, lengthMaxPerKey: 1_000, waitMsMax: 3_600_000 },
      probe: { everyMs: 3_600_000 },
    },
    { clock },
  )
  const stop = new AbortController()
  const ticking = tick(clock, stop.signal)
  onTestFinished(async () => {
    await expectAtRest(gateway)
    stop.abort()
    await ticking
    await gateway.gateway.stop({ now: true })
  })
  const flooding = await gateway.createKey({ name: 'flooding' })
  const { key: apiKey } = await gateway.createKey({ name: 'chatting' })
  return { clock, double, gateway, flooding, chatting: clientOf(gateway, { apiKey, maxRetries: 0 }) }
}

async function tick(clock: FakeClock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.advance(stepMs)
    await pause(1)
  }
}

/** The time to the first token of each, whatever became of those before it. */
async function chatOf(scene: Scene, requests: number): Promise<readonly number[]> {
  const times: Promise<number>[] = []
  for (let count = 0; count < requests; count++) {
    times.push(firstTokenMs(scene))
    await new Promise<void>((resolve) => scene.clock.after(chat.everyMs, resolve))
  }
  return Promise.all(times)
}

/** How long it waited in vain, where it gave up. */
async function firstTokenMs({ clock, chatting }: Scene): Promise<number> {
  const startedAtMs = clock.now()
  let firstMs: number | null = null
  const patience = new AbortController()
  const givingUp = clock.after(givesUpAfterMs, () => patience.abort())
  try {
    const body = { ...ask(chat.prompt, chat.answerTokens), stream: true } as const
    const stream = await chatting.chat.completions.create(body, { signal: patience.signal })
    for await (const { choices } of stream) {
      if (choices[0]?.delta.content) firstMs ??= clock.now() - startedAtMs
    }
  } catch (error) {
    if (!(error instanceof APIUserAbortError)) throw error
  }
  givingUp.cancel()
  return firstMs ?? clock.now() - startedAtMs
}

/** All at once; those that are left over leave when it is over. */
async function duringFlood<Result>({ double, gateway, flooding }: Scene, act: () => Promise<Result>): Promise<Result> {
  const random = new SeededRandom(5)
  const requests = Array.from({ length: flood.requests }, (_, index) => {
    const answerTokens = random.between(flood.answerTokensMin, flood.answerTokensMax)
    return sent(gateway, flooding, { ...ask(`flood ${index}`, answerTokens), stream: true })
  })
  try {
    // By then those that began together do not end together any more.
    await double.waitFor(() => endedFlood(double).length >= 2 * slots, 'the first answers of the flood', 60_000)
    return await act()
  } finally {
    for (const one of requests) one.destroy()
  }
}

function sent(gateway: GatewayUnderTest, { key }: CreatedKey, body: object): ClientRequest {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const one = request(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, agent: false })
  one.on('response', (answer) => answer.resume())
  // It is cut off in the end.
  one.on('error', () => {})
  one.end(JSON.stringify(body))
  return one
}

const endedFlood = (double: LmxDouble) =>
  double.inferenceRequests.filter(({ endedBy, tokens }) => endedBy === 'complete' && tokens >= flood.answerTokensMin)

function meanServiceMs(double: LmxDouble): number {
  const times = endedFlood(double).map(({ startedMs, endedMs }) => (endedMs ?? startedMs) - startedMs)
  return times.reduce((sum, ms) => sum + ms, 0) / times.length
}

function p95(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.ceil(0.95 * times.length) - 1] ?? Number.NaN
}
