/** Through a real gateway, by the official client: what a key's limits will admit inside its patience is answered later, not refused. */
import { setTimeout as pause } from 'node:timers/promises'
import { APIError, type OpenAI } from 'openai'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, model, type OneHost, oneHost, startDouble } from '../kit/fleet.ts'
import { type CreatedKey, type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'

/** Sees every refusal: it does not try again by itself. */
const keyed = ({ gateway }: OneHost, { key }: Pick<CreatedKey, 'key'>): OpenAI =>
  clientOf(gateway, { apiKey: key, maxRetries: 0 })

interface Heard {
  readonly name: string
  readonly status: number
  readonly retryAfterMs: number
}

// The class itself would make every field of it `any`.
const isRefusal = (error: unknown): error is APIError => error instanceof APIError

/** What each was answered, in order. */
class Answers {
  readonly heard: Heard[] = []

  async ask(name: string, client: OpenAI, body = ask('Hi', 2), signal?: AbortSignal): Promise<Heard> {
    const { status, headers } = await client.chat.completions
      .create(body, { signal })
      .asResponse()
      .then(async (answer) => {
        await answer.text()
        return answer
      })
      .catch((error: unknown) => {
        if (!isRefusal(error)) throw error
        return { status: error.status ?? 0, headers: error.headers ?? new Headers() }
      })
    const retryAfterMs = Number(headers.get('retry-after-ms'))
    const heard = { name, status, retryAfterMs }
    this.heard.push(heard)
    return heard
  }

  get names(): readonly string[] {
    return this.heard.map(({ name }) => name)
  }
}

/** Resolves once so many requests wait for the limits of their keys. */
async function waitingAre(gateway: GatewayUnderTest, count: number): Promise<void> {
  const endsAt = performance.now() + 10_000
  for (;;) {
    const { matching } = (await gateway.admin('GET', '/admin/requests?phase=limit')) as { matching: number }
    if (matching === count) return
    if (performance.now() > endsAt) throw new Error(`waited in vain for ${count} that wait: ${matching} do`)
    await pause(5)
  }
}

const atHost = ({ double }: OneHost): number => double.inferenceRequests.length

describe('a burst of one key', () => {
  test('over its limit of requests is answered in full, as the limit allows, and none is refused', async () => {
    const fleet = await oneHost({}, { host: { slots: 100 } })
    const client = keyed(fleet, await fleet.gateway.createKey({ limits: { requestsPerMinute: 300 } }))
    const answers = new Answers()
    const sinceMs = performance.now()
    await Promise.all(Array.from({ length: 80 }, (_, i) => answers.ask(`${i}`, client)))
    expect(answers.heard.filter(({ status }) => status !== 200)).toEqual([])
    // 75 are there at once, and then one each 200 ms: never sooner.
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(5 * 200)
    expect(atHost(fleet)).toBe(80)
  })

  test('over its limit of tokens is answered in full, too', async () => {
    const fleet = await oneHost({}, { host: { slots: 100 } })
    const client = keyed(fleet, await fleet.gateway.createKey({ limits: { tokensPerMinute: 60_000 } }))
    const answers = new Answers()
    const sinceMs = performance.now()
    const words = 'word '.repeat(1_600)
    await Promise.all(Array.from({ length: 13 }, (_, i) => answers.ask(`${i}`, client, ask(words, 2))))
    expect(answers.heard.map(({ status }) => status)).toEqual(Array.from({ length: 13 }, () => 200))
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(1_000)
  })

  test('keeps another key waiting not at all', async () => {
    const fleet = await oneHost()
    const { gateway } = fleet
    const busy = keyed(fleet, await gateway.createKey({ limits: { requestsPerMinute: 20 } }))
    const other = keyed(fleet, await gateway.createKey({ limits: { requestsPerMinute: 20 } }))
    const answers = new Answers()
    const burst = Array.from({ length: 11 }, () => answers.ask('busy', busy))
    await waitingAre(gateway, 1)
    for (let i = 0; i < 5; i++) expect((await answers.ask('other', other)).status).toBe(200)
    expect(answers.names.slice(-5)).toEqual(Array.from({ length: 5 }, () => 'other'))
    await Promise.all(burst)
    expect(answers.heard.at(-1)).toMatchObject({ name: 'busy', status: 200 })
  })

  test('does not let small requests pass a large one that came before them', async () => {
    const fleet = await oneHost()
    const { gateway } = fleet
    const { id, ...key } = await gateway.createKey({ limits: { tokensPerMinute: 60_000 } })
    const client = keyed(fleet, key)
    const answers = new Answers()
    // Of the 22,500 tokens that are there it leaves too few: what is missing takes some seconds to be refilled.
    await answers.ask('first', client, ask('word '.repeat(16_000), 2))
    const large = answers.ask('large', client, ask('word '.repeat(9_000), 2))
    await waitingAre(gateway, 1)
    const small: Promise<Heard>[] = []
    for (let i = 0; i < 3; i++) {
      small.push(answers.ask('small', client))
      await waitingAre(gateway, i + 2)
    }
    expect(await large).toMatchObject({ status: 200 })
    expect(answers.names).toEqual(['first', 'large'])
    await waitingAre(gateway, 3)
    // So that the rest need not be waited for.
    await gateway.admin('PATCH', `/admin/keys/${id}`, { limits: { tokensPerMinute: null } })
    expect((await Promise.all(small)).map(({ status }) => status)).toEqual([200, 200, 200])
  })
})

describe('what its limits will not admit inside its patience', () => {
  test('is refused at once, with the wait behind the others of its key', async () => {
    const fleet = await oneHost({}, { queue: { waitMsMax: 4_400 } })
    const { gateway } = fleet
    const client = keyed(fleet, await gateway.createKey({ limits: { requestsPerMinute: 30 } }))
    const answers = new Answers()
    // Ten are there at once, and one more each two seconds.
    const burst = Array.from({ length: 12 }, () => answers.ask('inside', client))
    await waitingAre(gateway, 2)
    const refused = await answers.ask('beyond', client)
    expect(refused.status).toBe(429)
    expect(refused.retryAfterMs).toBeGreaterThan(4_400)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(6_600)
    expect(answers.names.filter((name) => name === 'inside').length).toBeLessThan(12)
    expect((await Promise.all(burst)).map(({ status }) => status)).toEqual(burst.map(() => 200))
    expect(atHost(fleet)).toBe(12)
  })

  test('is refused also where it would fit in a moment, if nobody shall wait', async () => {
    const fleet = await oneHost({}, { limits: { waitMsMax: 0 } })
    const client = keyed(fleet, await fleet.gateway.createKey({ limits: { requestsPerMinute: 30 } }))
    const answers = new Answers()
    await Promise.all(Array.from({ length: 20 }, (_, i) => answers.ask(`${i}`, client)))
    expect(answers.heard.filter(({ status }) => status === 429).length).toBeGreaterThan(0)
  })

  test('is refused beyond the bound of those that wait', async () => {
    const fleet = await oneHost({}, { queue: { lengthMaxPerKey: 2 } })
    const { gateway } = fleet
    const client = keyed(fleet, await gateway.createKey({ limits: { requestsPerMinute: 30 } }))
    const answers = new Answers()
    const burst = Array.from({ length: 12 }, () => answers.ask('inside', client))
    await waitingAre(gateway, 2)
    expect(await answers.ask('one more', client)).toMatchObject({ status: 429 })
    expect(gateway.outcomes().at(-1)?.fields).toMatchObject({ end: 'GA', error: 'concurrency_limit_exceeded' })
    expect((await Promise.all(burst)).map(({ status }) => status)).toEqual(burst.map(() => 200))
  })
})

describe('one that waits for its limits', () => {
  /** Has used up its minute. */
  async function waiting() {
    const fleet = await oneHost()
    const key = await fleet.gateway.createKey({ limits: { requestsPerMinute: 1 } })
    const client = keyed(fleet, key)
    const answers = new Answers()
    await answers.ask('first', client)
    const leaves = new AbortController()
    const answer = answers.ask('waits', client, ask('Hi', 2), leaves.signal)
    await waitingAre(fleet.gateway, 1)
    return { ...fleet, fleet, key, answer, leaves }
  }

  test('is admitted as soon as its key gets more', async () => {
    const { gateway, key, answer } = await waiting()
    await gateway.admin('PATCH', `/admin/keys/${key.id}`, { limits: { requestsPerMinute: 60 } })
    expect(await answer).toMatchObject({ status: 200 })
  })

  test('ends with its key, and no host gets it', async () => {
    const { gateway, key, answer, fleet } = await waiting()
    await gateway.admin('POST', `/admin/keys/${key.id}/revoke`, {})
    expect(await answer).toMatchObject({ status: 401 })
    expect(atHost(fleet)).toBe(1)
  })

  test('leaves with its client, and is told in the log as one that no host had', async () => {
    const { gateway, answer, leaves, fleet } = await waiting()
    leaves.abort()
    expect(await answer).toMatchObject({ status: 0 })
    const lines = await gateway.outcomesOnce(2)
    expect(lines.at(-1)?.fields).toMatchObject({ end: 'CA', status: 499, host: null })
    expect(atHost(fleet)).toBe(1)
  })

  test('ends when an operator ends it', async () => {
    const { gateway, answer, fleet } = await waiting()
    const { requests } = (await gateway.admin('GET', '/admin/requests')) as { requests: readonly { id: string }[] }
    await gateway.admin('POST', `/admin/requests/${requests[0]?.id}/cancel`)
    expect(await answer).toMatchObject({ status: 403 })
    expect(atHost(fleet)).toBe(1)
  })

  test('ends with the gateway, honestly', async () => {
    const double = await startDouble()
    await using gateway = await startGateway({ hosts: [{ name: 'studio', url: double.url }] })
    const { key } = await gateway.createKey({ limits: { requestsPerMinute: 1 } })
    const client = clientOf(gateway, { apiKey: key, maxRetries: 0 })
    const answers = new Answers()
    await answers.ask('first', client)
    const answer = answers.ask('waits', client)
    await waitingAre(gateway, 1)
    await gateway.gateway.stop({ now: true })
    expect(await answer).toMatchObject({ status: 503 })
    expect(double.inferenceRequests).toHaveLength(1)
  })
})

describe('a stream that waits for its limits', () => {
  const streamOf = async (
    gateway: GatewayUnderTest,
    { key }: CreatedKey,
    headers: Readonly<Record<string, string>>,
  ) => {
    const answer = await fetch(`${gateway.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model, messages: ask('Hi').messages, max_tokens: 2, stream: true }),
    })
    return answer.text()
  }

  test('beats meanwhile, and then has its answer', async () => {
    const fleet = await oneHost({}, { relay: { headerHoldMs: 50, heartbeatMs: 50 } })
    const key = await fleet.gateway.createKey({ limits: { requestsPerMinute: 30 } })
    const stream = () => streamOf(fleet.gateway, key, { 'x-lmx-gateway-heartbeat': 'comment' })
    await Promise.all(Array.from({ length: 10 }, stream))
    const text = await stream()
    expect(text).toMatch(/^(?:: waiting\n+){2,}data: /)
    expect(text).toMatch(/data: \[DONE\]\n\n$/)
  })

  test('is told how many of its key go first, and when it will fit, if it asks for that', async () => {
    const clock = new FakeClock()
    const hosts = [{ name: 'studio', url: (await startDouble()).url }]
    await using gateway = await startGateway({ hosts, relay: { headerHoldMs: 300, heartbeatMs: 400 } }, { clock })
    const key = await gateway.createKey({ limits: { requestsPerMinute: 60 } })
    const stream = () => streamOf(gateway, key, { 'x-lmx-gateway-queue-events': '1' })
    await Promise.all(Array.from({ length: 15 }, stream))
    const first = stream()
    await waitingAre(gateway, 1)
    const second = stream()
    await waitingAre(gateway, 2)
    const told = (ahead: number, seconds: number): string => {
      const queue = { position: ahead, ahead_in_key: ahead, keys_waiting: null }
      const eta = { eta_seconds: seconds, eta_p90_seconds: seconds }
      return `: lmx-gateway ${JSON.stringify({ queue: { ...queue, ...eta, class: 'default', waits_for: 'limit' } })}\n\n`
    }
    await clock.advance(1_000)
    expect(await first).toContain(`${told(0, 0.7)}${told(0, 0.3)}data: `)
    await clock.advance(1_000)
    const answer = await second
    expect(answer).toContain([told(1, 1.7), told(1, 1.3), told(0, 0.9), told(0, 0.5), told(0, 0.1), 'data: '].join(''))
    expect(answer).toMatch(/data: \[DONE\]\n\n$/)
  })
})

test('who waits for limits counts among all that wait: no more than that many do, whatever it is for', async () => {
  const fleet = await oneHost({}, { queue: { lengthMax: 3 } })
  const { gateway } = fleet
  const keys = await Promise.all([0, 1, 2, 3].map(() => gateway.createKey({ limits: { requestsPerMinute: 1 } })))
  const clients = keys.map((key) => keyed(fleet, key))
  const unlimited = keyed(fleet, await gateway.createKey())
  const answers = new Answers()
  for (const client of clients) await answers.ask('at once', client)
  const waiting: Promise<Heard>[] = []
  for (const client of clients.slice(0, 3)) {
    waiting.push(answers.ask('waits', client))
    await waitingAre(gateway, waiting.length)
  }
  expect(await answers.ask('one more', clients[3]!)).toMatchObject({ status: 503 })
  expect(gateway.outcomes().at(-1)?.fields).toMatchObject({ end: 'RA', error: 'queue_full' })
  expect(await answers.ask('goes before nobody', unlimited)).toMatchObject({ status: 200 })
  await gateway.admin('POST', '/admin/queue/pause')
  expect(await answers.ask('for a slot', unlimited)).toMatchObject({ status: 503 })
  expect(gateway.outcomes().at(-1)?.fields).toMatchObject({ end: 'RQ', error: 'queue_full' })
  // From one wait into the other they take their room along.
  for (const { id } of keys) await gateway.admin('PATCH', `/admin/keys/${id}`, { limits: { requestsPerMinute: null } })
  await waitingAre(gateway, 0)
  await gateway.admin('POST', '/admin/queue/resume')
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200])
})
