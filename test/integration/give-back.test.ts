/** Bulk work makes room: over real sockets, in the order in which hosts and clients see it. */

import { APIUserAbortError } from 'openai'
import { describe, expect, test } from 'vitest'
import type { RequestClass } from '../../src/base/request-class.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, type HostInput, model, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { within } from '../kit/within.ts'

const answerTokens = 3
const firstTokenMs = 100

interface Asked {
  readonly stream?: boolean
}

/** One host of one slot whose first token takes 100 ms of a time that the test moves, and a client for each class. */
async function scene(host: Partial<HostInput> = {}, config: Omit<ConfigInput, 'hosts'> = {}) {
  const clock = new FakeClock()
  const cost = { ttftMs: firstTokenMs, decodeTokensPerSecond: 1_000 }
  const double = await startDouble({ clock, cost, slots: 4, answerTokens })
  const gateway = await gatewayBefore([{ name: 'studio', url: double.url, slots: 1, ...host }], config)
  const keys = {
    interactive: await gateway.createKey({ name: 'person', class: 'interactive' }),
    default: await gateway.createKey({ name: 'program' }),
    bulk: await gateway.createKey({ name: 'night', class: 'bulk', limits: { requestsPerMinute: 10 } }),
  }
  /** Resolves with what the client got in the end. */
  const send = (ofClass: RequestClass, content: string, { stream = true }: Asked = {}) => {
    const client = clientOf(gateway, { apiKey: keys[ofClass].key, maxRetries: 0 })
    const answer = client.chat.completions
      .create({ ...ask(content), stream })
      .asResponse()
      .then(async (response) => ({ headers: response.headers, text: await response.text() }))
    // A test that fails before it looks at this answer must not be told of it as well.
    answer.catch(() => {})
    return answer
  }
  return { clock, double, gateway, keys, send, finish: () => clock.advance(firstTokenMs + answerTokens + 1) }
}

const contents = ({ inferenceRequests }: LmxDouble) =>
  inferenceRequests.map(({ json }) => (json as { messages: { content: string }[] }).messages[0]!.content)

const arrived = (double: LmxDouble, count: number) =>
  double.waitFor(({ inferenceRequests }) => inferenceRequests.length === count, `request ${count} at the host`)

/** Its end and the next request come on two connections, so that a host may see either first. */
const cutOff = (double: LmxDouble, index: number) =>
  double.waitFor(
    ({ inferenceRequests }) => inferenceRequests[index]?.endedBy === 'client_closed',
    `the end of ${index}`,
  )

const outcomeOf = (gateway: GatewayUnderTest, key: string) =>
  gateway.outcomes().find(({ fields }) => fields['key'] === key)?.fields

describe('bulk of which nothing was sent', () => {
  test('gives its slot to an interactive request at once, and is answered whole behind it', async () => {
    const { double, gateway, send, finish } = await scene()
    const bulk = send('bulk', 'night work')
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await arrived(double, 2)
    await cutOff(double, 0)
    await gaugeReaches(gateway, 'queue_depth', 1)
    await finish()
    expect((await within(5_000, 'the interactive answer', person)).headers.get('x-lmx-gateway-attempts')).toBe('1')
    await arrived(double, 3)
    await finish()
    const { headers, text } = await within(5_000, 'the bulk answer', bulk)
    expect(headers.get('x-lmx-gateway-attempts')).toBe('2')
    expect(headers.get('x-lmx-gateway-reason')).not.toContain('retry')
    expect(text).toContain('w0')
    expect(text.trimEnd()).toMatch(/data: \[DONE\]$/)
    expect(contents(double)).toEqual(['night work', 'hello?', 'night work'])
    await gateway.outcomesOnce(2)
    expect(outcomeOf(gateway, 'night')).toMatchObject({ class: 'bulk', status: 200, end: '--', attempts: 2 })
    expect(outcomeOf(gateway, 'person')).toMatchObject({ class: 'interactive', attempts: 1 })
    expect(await gateway.sum('bulk_given_back_total', { model })).toBe(1)
  })

  test('is charged for the answer that its client got, and its host for no failure', async () => {
    const { double, gateway, send, finish } = await scene()
    const bulk = send('bulk', 'night work')
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await arrived(double, 2)
    await finish()
    await person
    await arrived(double, 3)
    await finish()
    await within(5_000, 'the bulk answer', bulk)
    await gateway.outcomesOnce(2)
    const { tokens: used } = gateway.usage.find(({ key }) => key === 'night')!
    expect(used.output).toBe(answerTokens)
    expect(used.input).toBe(double.inferenceRequests[2]!.promptTokens)
    expect(await gateway.sum('tokens_total', { key: 'night', type: 'output' })).toBe(answerTokens)
    expect(await gateway.sum('failovers_total')).toBe(0)
    expect(await gateway.sum('host_errors_total')).toBe(0)
    const next = send('bulk', 'one more')
    await arrived(double, 4)
    await finish()
    // Two requests of ten, although three attempts were made.
    expect((await within(5_000, 'the next answer', next)).headers.get('x-ratelimit-remaining-requests')).toBe('8')
  })

  test('has its charge refunded, so that its key loses no turn against another one', async () => {
    const { double, gateway, send, finish } = await scene()
    const { key: otherKey } = await gateway.createKey({ name: 'second-night', class: 'bulk' })
    const other = (content: string) => {
      const client = clientOf(gateway, { apiKey: otherKey, maxRetries: 0 })
      return client.chat.completions.create({ ...ask(content), stream: true }).asResponse()
    }
    const short = other('other 1')
    await arrived(double, 1)
    await finish()
    await (await short).text()
    const long = `night 1 ${'word '.repeat(500)}`
    const answers: PromiseLike<unknown>[] = [send('bulk', long)]
    await arrived(double, 2)
    const waiting = other('other 2')
    answers.push(waiting.then((response) => response.text()))
    await gaugeReaches(gateway, 'queue_depth', 1)
    answers.push(send('bulk', 'night 2'))
    await gaugeReaches(gateway, 'queue_depth', 2)
    answers.push(send('interactive', 'person'))
    for (let count = 3; count <= 6; count += 1) {
      await arrived(double, count)
      await finish()
    }
    await within(5_000, 'all answers', Promise.all(answers))
    const names = contents(double).map((content) => content.slice(0, 'night 1'.length))
    expect(names).toEqual(['other 1', 'night 1', 'person', 'night 1', 'other 2', 'night 2'])
  })

  test('goes in front of the bulk work of its key that waits, and behind default requests', async () => {
    const { double, gateway, send, finish } = await scene()
    const first = send('bulk', 'first')
    await arrived(double, 1)
    const others = [send('bulk', 'second'), send('default', 'program')]
    await gaugeReaches(gateway, 'queue_depth', 2)
    others.push(send('interactive', 'person'))
    for (let count = 2; count <= 5; count += 1) {
      await arrived(double, count)
      await finish()
    }
    await within(5_000, 'all answers', Promise.all([first, ...others]))
    expect(contents(double)).toEqual(['first', 'person', 'program', 'first', 'second'])
  })

  test('gives way three times and then keeps its slot', async () => {
    const { double, gateway, send, finish } = await scene()
    const bulk = send('bulk', 'night work')
    for (let time = 1; time <= 3; time += 1) {
      await arrived(double, 2 * time - 1)
      const person = send('interactive', `person ${time}`)
      await arrived(double, 2 * time)
      await finish()
      await within(5_000, `interactive answer ${time}`, person)
    }
    await arrived(double, 7)
    const last = send('interactive', 'person 4')
    await gaugeReaches(gateway, 'queue_depth', 1)
    expect(double.running).toBe(1)
    await finish()
    expect((await within(5_000, 'the bulk answer', bulk)).headers.get('x-lmx-gateway-attempts')).toBe('4')
    await arrived(double, 8)
    await finish()
    await within(5_000, 'the last answer', last)
    expect(contents(double).filter((content) => content === 'night work')).toHaveLength(4)
    expect(contents(double).at(-1)).toBe('person 4')
  })

  test('each interactive request that waits gets one slot back, those of the latest bulk work first', async () => {
    const { double, gateway, send, finish } = await scene({ slots: 2 })
    const bulk = [send('bulk', 'older')]
    await arrived(double, 1)
    bulk.push(send('bulk', 'newer'))
    await arrived(double, 2)
    const people = [send('interactive', 'person 1')]
    await arrived(double, 3)
    await cutOff(double, 1)
    expect(double.inferenceRequests[0]!.endedBy).toBeNull()
    people.push(send('interactive', 'person 2'))
    await arrived(double, 4)
    await cutOff(double, 0)
    await finish()
    await within(5_000, 'the interactive answers', Promise.all(people))
    await arrived(double, 6)
    await finish()
    await within(5_000, 'the bulk answers', Promise.all(bulk))
    expect(await gateway.sum('bulk_given_back_total')).toBe(2)
  })

  test('a client that leaves after its slot was given back leaves the line', async () => {
    const { double, gateway, keys, send, finish } = await scene()
    const controller = new AbortController()
    const client = clientOf(gateway, { apiKey: keys.bulk.key })
    const options = { signal: controller.signal }
    const left = client.chat.completions.create({ ...ask('night work'), stream: true }, options)
    const gone = expect(left).rejects.toBeInstanceOf(APIUserAbortError)
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await arrived(double, 2)
    controller.abort()
    await gone
    await gaugeReaches(gateway, 'queue_depth', 0)
    expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({
      key: 'night',
      status: 499,
      end: 'CQ',
      attempts: 1,
      tokensIn: 0,
    })
    await finish()
    await within(5_000, 'the interactive answer', person)
    expect(contents(double)).toEqual(['night work', 'hello?'])
  })

  test('beats go on while it waits again', async () => {
    const relay = { heartbeat: 'comment' as const, headerHoldMs: 1, heartbeatMs: 20 }
    const { double, gateway, keys, send, finish } = await scene({}, { relay })
    const client = clientOf(gateway, { apiKey: keys.bulk.key })
    const { body } = await client.chat.completions.create({ ...ask('night work'), stream: true }).asResponse()
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await arrived(double, 2)
    await gaugeReaches(gateway, 'queue_depth', 1)
    let text = ''
    const read = async (holds: () => boolean) => {
      while (!holds()) text += (await within(5_000, 'more of the stream', reader.read())).value ?? ''
    }
    const before = text.length
    await read(() => (text.slice(before).match(/^: /gm) ?? []).length >= 3)
    expect(text).not.toContain('data:')
    await finish()
    await within(5_000, 'the interactive answer', person)
    await arrived(double, 3)
    await finish()
    await read(() => text.includes('data: [DONE]'))
    expect(text).toContain('w0')
    expect((await reader.read()).done).toBe(true)
  })

  test('does so too where a whole answer is run as a stream', async () => {
    const { double, send, finish } = await scene({ streamUpstream: true })
    const bulk = send('bulk', 'night work', { stream: false })
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await arrived(double, 2)
    await finish()
    await within(5_000, 'the interactive answer', person)
    await arrived(double, 3)
    await finish()
    const { text } = await within(5_000, 'the bulk answer', bulk)
    expect(JSON.parse(text)).toMatchObject({ usage: { completion_tokens: answerTokens } })
  })
})

describe('keeps its slot', () => {
  /** A bulk request at the host and an interactive one in the line, which is served only when the first has ended. */
  async function expectKept(host: Partial<HostInput>, asked: Asked = {}, config: Omit<ConfigInput, 'hosts'> = {}) {
    const { double, gateway, send, finish } = await scene(host, config)
    const bulk = send('bulk', 'night work', asked)
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await gaugeReaches(gateway, 'queue_depth', 1)
    expect(double.inferenceRequests[0]!.endedBy).toBeNull()
    await finish()
    expect((await within(5_000, 'the bulk answer', bulk)).headers.get('x-lmx-gateway-attempts')).toBe('1')
    await arrived(double, 2)
    await finish()
    await within(5_000, 'the interactive answer', person)
    expect(contents(double)).toEqual(['night work', 'hello?'])
    expect(await gateway.sum('bulk_given_back_total')).toBe(0)
  }

  test('bulk work before a host that must not be cut off', () => expectKept({ onDisconnect: 'drain' }))

  test('bulk work that its host would go on with: a whole answer of LMX', () => expectKept({}, { stream: false }))

  test('bulk work whose patience is nearly over, since it might find no other', () =>
    expectKept({}, {}, { queue: { classes: { bulk: { waitMsMax: 1 } } } }))

  test('bulk work that has begun to answer', async () => {
    const { clock, double, gateway, keys, send, finish } = await scene()
    const client = clientOf(gateway, { apiKey: keys.bulk.key })
    const creating = client.chat.completions.create({ ...ask('night work'), stream: true })
    await arrived(double, 1)
    await clock.advance(firstTokenMs)
    const stream = await within(5_000, 'the first content', creating)
    const person = send('interactive', 'hello?')
    await gaugeReaches(gateway, 'queue_depth', 1)
    expect(double.running).toBe(1)
    await clock.advance(answerTokens + 1)
    let text = ''
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
    expect(text.trim().split(/\s+/)).toHaveLength(answerTokens)
    await arrived(double, 2)
    await finish()
    await within(5_000, 'the interactive answer', person)
    expect(contents(double)).toEqual(['night work', 'hello?'])
  })

  test.each(['default', 'bulk'] as const)('bulk work that a %s request waits for', async (ofClass) => {
    const { double, gateway, send, finish } = await scene()
    const bulk = send('bulk', 'night work')
    await arrived(double, 1)
    const other = send(ofClass, 'other')
    await gaugeReaches(gateway, 'queue_depth', 1)
    expect(double.inferenceRequests[0]!.endedBy).toBeNull()
    await finish()
    await within(5_000, 'the bulk answer', bulk)
    await arrived(double, 2)
    await finish()
    await within(5_000, 'the other answer', other)
    expect(contents(double)).toEqual(['night work', 'other'])
  })

  test('a default request, whoever waits', async () => {
    const { double, gateway, send, finish } = await scene()
    const program = send('default', 'program')
    await arrived(double, 1)
    const person = send('interactive', 'hello?')
    await gaugeReaches(gateway, 'queue_depth', 1)
    await finish()
    await within(5_000, 'the default answer', program)
    await arrived(double, 2)
    await finish()
    await within(5_000, 'the interactive answer', person)
    expect(contents(double)).toEqual(['program', 'hello?'])
  })
})
