/** Through a real gateway, by the official client: what a key's limits will admit inside its patience is answered later, not refused. */
import { setTimeout as pause } from 'node:timers/promises'
import { APIError, type OpenAI } from 'openai'
import { describe, expect, test } from 'vitest'
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

test('a stream that waits for its limits beats meanwhile, and then has its answer', async () => {
  const fleet = await oneHost({}, { relay: { headerHoldMs: 50, heartbeatMs: 50 } })
  const key = await fleet.gateway.createKey({ limits: { requestsPerMinute: 30 } })
  const chat = () =>
    fetch(`${fleet.gateway.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key.key}`,
        'content-type': 'application/json',
        'x-lmx-gateway-heartbeat': 'comment',
      },
      body: JSON.stringify({ model, messages: ask('Hi').messages, max_tokens: 2, stream: true }),
    })
  await Promise.all(Array.from({ length: 10 }, async () => (await chat()).text()))
  const text = await (await chat()).text()
  expect(text).toMatch(/^(?:: waiting\n+){2,}data: /)
  expect(text).toMatch(/data: \[DONE\]\n\n$/)
})
