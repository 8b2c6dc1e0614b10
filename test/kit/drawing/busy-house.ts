/** A house at work, for pictures of dashboards: three unequal simulated hosts, people, apps and a nightly job before one gateway. */
import { setTimeout as pause } from 'node:timers/promises'
import { type GatewayUnderTest, startGateway } from '../gateway-under-test.ts'
import { type LmxDouble, startLmxDouble } from '../lmx-double/lmx-double.ts'

const small = 'qwen3-30b-a3b'
const large = 'llama-3.3-70b'

export interface BusyHouse extends AsyncDisposable {
  readonly gateway: GatewayUnderTest
  readonly hosts: readonly { readonly name: string; readonly url: string }[]
  /** Traffic until `minutes` are over, among it half a minute without the smallest host. */
  work(minutes: number): Promise<void>
}

export async function startBusyHouse(): Promise<BusyHouse> {
  const jitter = 0.15
  const doubles = {
    studio: await startLmxDouble({
      models: [small, large],
      slots: 3,
      cost: { ttftMs: 150, prefillTokensPerSecond: 1_200, decodeTokensPerSecond: 60, batchSlowdown: 0.28, jitter },
    }),
    mini: await startLmxDouble({
      models: [small],
      slots: 2,
      cost: { ttftMs: 250, prefillTokensPerSecond: 400, decodeTokensPerSecond: 25, batchSlowdown: 0.4, jitter },
    }),
    pc: await startLmxDouble({
      models: [small],
      slots: 2,
      cost: { ttftMs: 90, prefillTokensPerSecond: 3_000, decodeTokensPerSecond: 90, batchSlowdown: 0.3, jitter },
    }),
  }
  const hosts = Object.entries(doubles).map(([name, { url }]) => ({ name, url }))
  const gateway = await startGateway({
    hosts: hosts.map((host) => ({ ...host, kind: 'lmx' as const })),
    models: { aliases: { fast: small } },
    storage: { path: ':memory:' },
  })
  return {
    gateway,
    hosts,
    work: (minutes) => work(gateway, doubles.mini, minutes * 60_000),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      for (const double of Object.values(doubles)) await double.stop()
    },
  }
}

/** Who works in it: how many at once, what they ask for, and how long they think. */
const people = [
  {
    name: 'alice',
    clients: 3,
    class: 'interactive',
    models: [small, large],
    tokens: 120,
    promptWords: 200,
    thinksMs: 4_000,
  },
  { name: 'ben', clients: 2, class: 'interactive', models: ['fast'], tokens: 80, promptWords: 60, thinksMs: 6_000 },
  { name: 'agent', clients: 4, class: 'default', models: [small], tokens: 150, promptWords: 900, thinksMs: 1_500 },
  { name: 'nightly', clients: 3, class: 'bulk', models: [small, large], tokens: 220, promptWords: 500, thinksMs: 0 },
  { name: 'guest', clients: 2, class: 'default', models: [small], tokens: 30, promptWords: 20, thinksMs: 700, rpm: 20 },
] as const

async function work(gateway: GatewayUnderTest, mini: LmxDouble, ms: number): Promise<void> {
  const over = new AbortController()
  const end = setTimeout(() => over.abort(), ms)
  const clients = people.flatMap(async (person) => {
    const limits = 'rpm' in person ? { requestsPerMinute: person.rpm } : {}
    const { key } = await gateway.createKey({ name: person.name, class: person.class, limits })
    const all = Array.from({ length: person.clients }, (_, at) => client(gateway, key, person, at, over.signal))
    await Promise.all(all)
  })
  await Promise.all([...clients, outage(mini, ms, over.signal)])
  clearTimeout(end)
}

/** One host answers nobody for a while, in the middle. */
async function outage(mini: LmxDouble, ms: number, over: AbortSignal): Promise<void> {
  try {
    await pause(ms * 0.55, undefined, { signal: over })
    mini.faults.set({ shedding: true })
    await pause(30_000, undefined, { signal: over })
  } catch {
    // The house closes before that.
  }
  mini.faults.set({})
}

async function client(
  { baseUrl }: GatewayUnderTest,
  key: string,
  { models, tokens, promptWords, thinksMs }: (typeof people)[number],
  at: number,
  over: AbortSignal,
): Promise<void> {
  for (let turn = at; !over.aborted; turn++) {
    // Some leave before their answer is whole.
    const leaves = turn % 17 === 16 ? [AbortSignal.timeout(2_500)] : []
    const body = JSON.stringify({
      model: models[turn % models.length],
      stream: turn % 5 !== 4,
      max_tokens: Math.ceil(tokens * (0.5 + Math.random())),
      messages: [{ role: 'user', content: contentOf(turn, promptWords) }],
    })
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
    try {
      const signal = AbortSignal.any([over, ...leaves])
      const response = await fetch(`${baseUrl}/chat/completions`, { method: 'POST', headers, body, signal })
      await response.text()
      await pause(thinksMs * (0.5 + Math.random()), undefined, { signal: over })
    } catch {
      // What was refused or broke off is part of the picture.
    }
  }
}

/** Now and then a host fails on it, or stands still in the middle. */
function contentOf(turn: number, words: number): string {
  const prompt = 'word '.repeat(Math.ceil(words * (0.3 + 1.4 * Math.random())))
  if (turn % 23 === 22) return `${prompt}[[fault:{"internalError":true}]]`
  return turn % 29 === 28 ? `${prompt}[[fault:{"stallAfterTokens":10,"stallMs":3000}]]` : prompt
}
