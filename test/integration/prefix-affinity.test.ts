/** Conversations and the hosts that have read them, over real sockets. */
import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, wholeRequest } from '../kit/chaos-host.ts'
import { gatewayBefore, gaugeReaches, model, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { newestHomes } from '../kit/homes.ts'
import { jsonResponseBytes } from '../kit/http-bytes.ts'
import type { LmxDouble, LmxDoubleOptions } from '../kit/lmx-double/lmx-double.ts'
import { chatAnswer } from './scenarios/scene.ts'

/** Of a host that reads so fast that a test need not wait, and all the same 20 ms for 1,000 tokens. */
const cost = { prefillTokensPerSecond: 50_000, decodeTokensPerSecond: 1_000 }
const words = (tokens: number, of: string): string =>
  `${of} and so on. `.repeat(Math.ceil((4 * tokens) / (of.length + 12)))

interface Message {
  readonly role: string
  readonly content: string
}

interface Answer {
  readonly host: string | null
  readonly reason: string | null
  readonly queueMs: number
  readonly text: string
}

async function ask(
  { baseUrl }: Pick<GatewayUnderTest, 'baseUrl'>,
  messages: readonly Message[],
  more: { readonly body?: object; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const answer = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...more.headers },
    body: JSON.stringify({ model, stream: true, max_tokens: 8, messages, ...more.body }),
  })
  expect(answer.status).toBe(200)
  const { headers } = answer
  const text = await answer.text()
  return {
    host: headers.get('x-lmx-gateway-host'),
    reason: headers.get('x-lmx-gateway-reason'),
    queueMs: Number(headers.get('x-lmx-gateway-queue-ms')),
    text,
  }
}

/** A client that sends all that was said so far with each turn. */
class Conversation {
  readonly #gateway: GatewayUnderTest
  readonly #messages: Message[]
  readonly answers: Answer[] = []

  constructor(gateway: GatewayUnderTest, messages: readonly Message[]) {
    this.#gateway = gateway
    this.#messages = [...messages]
  }

  async turn(more: Parameters<typeof ask>[2] = {}): Promise<Answer> {
    if (this.answers.length > 0) this.#messages.push({ role: 'user', content: 'And then?' })
    const answer = await ask(this.#gateway, this.#messages, more)
    this.#messages.push({ role: 'assistant', content: 'It was so.' })
    this.answers.push(answer)
    return answer
  }

  get hosts(): ReadonlySet<string | null> {
    return new Set(this.answers.map(({ host }) => host))
  }
}

interface Stage {
  readonly gateway: GatewayUnderTest
  readonly doubles: Readonly<Record<string, LmxDouble>>
  readonly converse: (tokens: number, of: string, system?: string) => Conversation
}

async function stage(
  names: readonly string[],
  options: (name: string) => LmxDoubleOptions = () => ({}),
  config: Parameters<typeof gatewayBefore>[1] = {},
): Promise<Stage> {
  const doubles: Record<string, LmxDouble> = {}
  for (const name of names) doubles[name] = await startDouble({ cost, keepsPrefixes: true, slots: 4, ...options(name) })
  const hosts = Object.entries(doubles).map(([name, { url }]) => ({ name, url, slots: options(name).slots ?? 4 }))
  const gateway = await gatewayBefore(hosts, config)
  return {
    gateway,
    doubles,
    converse: (tokens, of, system) =>
      new Conversation(gateway, [
        ...(system === undefined ? [] : [{ role: 'system', content: system }]),
        { role: 'user', content: words(tokens, of) },
      ]),
  }
}

test('conversations with the same words of the system spread over the hosts, and each returns to its own', async () => {
  const slow = { cost: { ...cost, prefillTokensPerSecond: 10_000 }, slots: 9 }
  const { converse } = await stage(['a', 'b', 'c'], () => slow)
  const system = words(3_000, 'the same for all')
  const conversations = Array.from({ length: 9 }, (_, at) => converse(10_000, `talk ${at}`, system))
  for (let turn = 0; turn < 4; turn++) await Promise.all(conversations.map((one) => one.turn()))
  expect(conversations.map(({ hosts }) => hosts.size)).toEqual(conversations.map(() => 1))
  const byHost = Map.groupBy(conversations, ({ answers }) => answers[0]?.host)
  expect(byHost.size).toBe(3)
  // Three each, where all nine come before one of them is answered.
  for (const { length } of byHost.values()) expect(length).toBeLessThanOrEqual(5)
  const reasons = (turns: readonly [number, number]): (string | null)[] =>
    conversations.flatMap(({ answers }) => answers.slice(...turns).map(({ reason }) => reason))
  // That a host knows the words of the system makes it nobody's home.
  expect(reasons([0, 1])).not.toContain('prefix')
  expect(reasons([1, 4])).toContain('prefix')
})

/** Each host has a model of its own, with which a test fills its one slot. */
const twoWithOne = () => stage(['a', 'b'], (name) => ({ slots: 1, models: [model, `only-${name}`] }))

/** Keeps the one slot of the host for so many tokens. */
function fill(
  { gateway, doubles }: Stage,
  host: string,
  tokens: number,
): { ended: Promise<Answer>; begun: Promise<void> } {
  const double = doubles[host]!
  const before = double.inferenceRequests.length
  const ended = ask(gateway, [{ role: 'user', content: 'Fill.' }], {
    body: { model: `only-${host}`, max_tokens: tokens },
  })
  return { ended, begun: double.waitFor(({ inferenceRequests }) => inferenceRequests.length > before, 'the filler') }
}

test('a conversation waits for its host while that costs less than reading it again elsewhere', async () => {
  const scene = await twoWithOne()
  const conversation = scene.converse(20_000, 'long ago')
  const { host } = await conversation.turn()
  const filler = fill(scene, host!, 50)
  await filler.begun
  const next = await conversation.turn()
  expect(next.host).toBe(host)
  await filler.ended
  // It did wait: the other one was free all the time.
  const [filled, came] = scene.doubles[host!]!.inferenceRequests.slice(-2)
  expect(came!.startedMs).toBeGreaterThanOrEqual(filled!.endedMs!)
})

test('it goes elsewhere when its host is behind by more than that, and is at home there from then on', async () => {
  const scene = await twoWithOne()
  const conversation = scene.converse(2_000, 'long ago')
  const { host } = await conversation.turn()
  const filler = fill(scene, host!, 4_000)
  await filler.begun
  const next = await conversation.turn()
  expect(next.host).not.toBe(host)
  expect((await conversation.turn()).host).toBe(next.host)
  await filler.ended
  // What came last is known best where it was.
  expect((await conversation.turn()).host).toBe(next.host)
})

test('a host that was restarted has kept nothing, and nothing is expected of it', async () => {
  const { gateway, doubles, converse } = await stage(['a', 'b'], undefined, { probe: { everyMs: 100 } })
  const conversation = converse(2_000, 'long ago')
  const { host } = await conversation.turn()
  await conversation.turn()
  expect(await newestHomes(gateway)).toEqual([host])
  const double = doubles[host!]!
  double.crash()
  await gaugeReaches(gateway, 'host_up', 0, { host: host! })
  await double.openListener()
  await gaugeReaches(gateway, 'host_up', 1, { host: host! })
  await conversation.turn()
  expect(await newestHomes(gateway)).toEqual([])
})

test('a host that tells again and again that it has kept nothing is the home of no conversation any more', async () => {
  const kept = { prompt_tokens: 10_000, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0 } }
  const hosts = await Promise.all(['a', 'b'].map(() => ChaosHost.start({ models: [model] })))
  onTestFinished(async () => {
    for (const host of hosts) await host.close()
  })
  for (const host of hosts) {
    host.playAlways(
      wholeRequest,
      jsonResponseBytes(200, { ...(JSON.parse(chatAnswer('well')) as object), usage: kept }),
    )
  }
  const gateway = await gatewayBefore(
    hosts.map(({ url }, at) => ({ name: at === 0 ? 'a' : 'b', url, kind: 'openai' as const })),
    { probe: { everyMs: 600_000 } },
  )
  const messages = [{ role: 'user', content: words(10_000, 'long ago') }]
  const turn = () => ask(gateway, messages, { body: { stream: false } })
  const homes: (readonly string[])[] = []
  for (let time = 0; time < 80; time++) {
    await turn()
    homes.push(await newestHomes(gateway))
  }
  expect([homes[0], homes[1]?.length]).toEqual([[], 1])
  // Each has learned it from its own answers by then.
  expect(homes.slice(-10).flat()).toEqual([])
})

test('of hosts that never tell what they had kept, those that keep nothing are no homes before long, by their first tokens', async () => {
  const homesAfter = async (keepsPrefixes: boolean): Promise<readonly string[]> => {
    const slow = { ...cost, prefillTokensPerSecond: 10_000 }
    const { gateway, converse } = await stage(['a'], () => ({ keepsPrefixes, cost: slow }))
    // One after the other, of 100 to 200 ms where all is read: whatever else takes time here is little beside that.
    const conversations = [1_000, 1_500, 2_000].map((tokens) => converse(tokens, `talk of ${tokens}`))
    for (let turn = 0; turn < 13; turn++) for (const one of conversations) await one.turn()
    return newestHomes(gateway)
  }
  expect([await homesAfter(true), await homesAfter(false)]).toEqual([['a'], []])
})

test('with prefixes off nothing is remembered of a prompt', async () => {
  const { gateway, converse } = await stage(['a', 'b'], undefined, { balancing: { prefixes: { enabled: false } } })
  const conversation = converse(10_000, 'long ago')
  for (let turn = 0; turn < 4; turn++) {
    await conversation.turn()
    expect(await newestHomes(gateway)).toEqual([])
  }
})

test.each([
  ['a header', { headers: { 'x-session-id': 'one' } }, { headers: { 'x-session-id': 'two' } }],
  ['a field', { body: { prompt_cache_key: 'one' } }, { body: { prompt_cache_key: 'two' } }],
])('sticky: what %s names goes to one host, and other names to others', async (_what, one, two) => {
  const { gateway, doubles } = await stage(['a', 'b', 'c', 'd'], undefined, { balancing: { policy: 'sticky' } })
  const hostsOf = async (more: Parameters<typeof ask>[2]): Promise<Set<string | null>> => {
    const hosts = new Set<string | null>()
    for (let time = 0; time < 5; time++) {
      hosts.add((await ask(gateway, [{ role: 'user', content: `Something new ${time}` }], more)).host)
    }
    return hosts
  }
  const [ofOne, ofTwo] = [await hostsOf(one), await hostsOf(two)]
  expect([ofOne.size, ofTwo.size]).toEqual([1, 1])
  const spread = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      ask(gateway, [{ role: 'user', content: 'x' }], { headers: { 'x-session-id': `s${at}` } }),
    ),
  )
  expect(new Set(spread.map(({ host }) => host)).size).toBeGreaterThan(1)
  // It is for the gateway: hosts are sent what they were sent before.
  const sent = Object.values(doubles).flatMap(({ inferenceRequests }) => inferenceRequests)
  expect(sent.flatMap(({ headers }) => Object.keys(headers)).filter((name) => name.includes('session'))).toEqual([])
})
