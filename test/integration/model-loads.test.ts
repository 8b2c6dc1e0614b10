/** Hosts that load what a request names: one load for all who wait, none that ends what others generate, and none waited for in vain. */

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ConfigInput } from '../kit/config-of.ts'
import { clientOf, gatewayBefore, gaugeReaches } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { type LoadingHost, type LoadingHostOptions, type LoadingKind, startLoadingHost } from '../kit/loading-host.ts'
import { becomesTrue } from '../kit/within.ts'

const kinds: readonly LoadingKind[] = ['ollama', 'lm-studio', 'llama-cpp']

async function before(hosts: readonly LoadingHost[], config: Omit<ConfigInput, 'hosts'> = {}, slots = 16) {
  const gateway = await gatewayBefore(
    hosts.map(({ url }, at) => ({ name: 'abc'[at] ?? 'x', url, slots })),
    config,
  )
  const client = clientOf(gateway, { maxRetries: 0 })
  const ask = async (model: string, stream = true, content = 'x'): Promise<string> => {
    const body = { model, messages: [{ role: 'user' as const, content }] }
    if (!stream) return (await client.chat.completions.create(body)).choices[0]?.message.content ?? ''
    let text = ''
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ''
    }
    return text
  }
  return { gateway, ask }
}

/** Resolves when the gateway knows how much the model in memory may hold. */
async function contextIsKnown(gateway: GatewayUnderTest, tokens: number): Promise<void> {
  await becomesTrue(5_000, 'the context of the model', async () => {
    const { data } = (await (await fetch(`${gateway.baseUrl}/models`)).json()) as { data: object[] }
    return JSON.stringify(data).includes(`${tokens}`)
  })
}

/** Turns are over at once. */
const quick = { keepMsMin: 0, loadShareMax: 0.9, loadMsDefault: 1 }

const two: Omit<LoadingHostOptions, 'kind'> = { models: ['a', 'b'], resident: ['a'] }

test.each(kinds.flatMap((kind) => [true, false].map((stream) => ({ kind, stream }))))(
  'ten requests at once for a model that $kind has to load cause one load (streamed: $stream)',
  async ({ kind, stream }) => {
    const host = await startLoadingHost({ kind, models: ['a', 'b'] })
    const { gateway, ask } = await before([host])
    const asked = Array.from({ length: 10 }, () => ask('b', stream))
    await host.begun(1)
    await gaugeReaches(gateway, 'queue_depth', 9)
    expect(host.asked).toEqual(['b'])
    host.loaded('b')
    await host.making(1)
    // Where nothing shows that it is there, the others come when the first was answered.
    if (stream) await host.making(10)
    const ends = setInterval(() => host.finish(), 20)
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['one two']))
    clearInterval(ends)
    expect([host.loads, host.asked.length]).toEqual([['b'], 10])
  },
)

test.each([1, 2, 4, 10].flatMap((slots) => [true, false].map((stream) => ({ slots, stream }))))(
  'all who wait for a load are served, by $slots slots, where the host tells the context of the model only then (streamed: $stream)',
  async ({ slots, stream }) => {
    const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'], contextTokens: 4_096 })
    const { gateway, ask } = await before([host], { probe: { everyMs: 100 } }, slots)
    const asked = Array.from({ length: 10 }, () => ask('b', stream))
    await host.begun(1)
    await gaugeReaches(gateway, 'queue_depth', 9)
    host.loaded('b')
    await host.making(1)
    await contextIsKnown(gateway, 4_096)
    const ends = setInterval(() => host.finish(), 20)
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['one two']))
    clearInterval(ends)
    expect([host.loads, host.asked.length]).toEqual([['b'], 10])
  },
)

test('who waits for a load hears that its prompt is too long as soon as the host tells so, in its own numbers', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'], contextTokens: 4_096 })
  const { gateway, ask } = await before([host], { probe: { everyMs: 100 } }, 1)
  const first = ask('b')
  await host.begun(1)
  const short = ask('b')
  const long = expect(ask('b', true, 'word '.repeat(5_000))).rejects.toMatchObject({
    status: 400,
    code: 'context_length_exceeded',
    message: expect.stringMatching(/maximum context length is 4096 tokens.* resulted in \d{5} tokens/) as string,
  })
  await gaugeReaches(gateway, 'queue_depth', 2)
  host.loaded('b')
  await long
  const ends = setInterval(() => host.finish(), 20)
  expect(await Promise.all([first, short])).toEqual(['one two', 'one two'])
  clearInterval(ends)
  expect(host.asked).toEqual(['b', 'b'])
})

test.each(kinds)('a request for another model ends no generation of %s, and is served after it', async (kind) => {
  const host = await startLoadingHost({ kind, ...two })
  const { gateway, ask } = await before([host], { models: { residency: quick } })
  const running = ask('a')
  await host.making(1)
  const other = ask('b')
  await gaugeReaches(gateway, 'queue_depth', 1)
  // It is its turn: whoever comes for the model that is to go waits.
  const late = ask('a')
  await gaugeReaches(gateway, 'queue_depth', 2)
  expect([host.asked, host.loads]).toEqual([['a'], []])
  host.finish()
  expect(await running).toBe('one two')
  await host.begun(1)
  host.loaded('b')
  await host.making(1)
  host.finish()
  expect(await other).toBe('one two')
  await host.begun(2)
  host.loaded('a')
  await host.making(1)
  host.finish()
  expect(await late).toBe('one two')
  expect([host.killed, host.loads, host.asked]).toEqual([[], ['b', 'a'], ['a', 'b', 'a']])
})

test('who waits for a load is told so, by the admin API and in the stream', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  const { gateway, ask } = await before([host], { relay: { headerHoldMs: 1, heartbeatMs: 50 } })
  const first = ask('b')
  await host.begun(1)
  const response = await fetch(`${gateway.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-lmx-gateway-queue-events': '1' },
    body: JSON.stringify({ model: 'b', stream: true, messages: [{ role: 'user', content: 'x' }] }),
  })
  const line = (await gateway.admin('GET', '/admin/queue')) as { requests: { load: unknown }[] }
  expect(line.requests.map(({ load }) => load)).toMatchObject([{ host: 'a', model: 'b', obstacle: null }])
  const { hosts } = (await gateway.admin('GET', '/admin/hosts')) as { hosts: { memory: unknown }[] }
  expect(hosts.map(({ memory }) => memory)).toMatchObject([{ resident: [], loading: { model: 'b' }, loadsLastHour: 1 }])
  host.loaded('b')
  await host.making(2)
  host.finish()
  const told = await response.text()
  expect(told).toMatch(/"waits_for":"load","load":\{"host":"a","elapsed_seconds":[\d.]+,"eta_seconds":[\d.]+\}/)
  expect(await first).toBe('one two')
  const lines = gateway.log.filter(({ message }) => message.startsWith('a host '))
  expect(lines.map(({ message, fields }) => [message, fields['model']])).toEqual([
    ['a host loads a model', 'b'],
    ['a host has loaded a model', 'b'],
  ])
})

test('a model that nobody asks for gives way at once: who asks for one and then for another is served after the load', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  // No time of a test is as long as a model is kept by default.
  const { ask } = await before([host])
  for (const [at, model] of ['a', 'b', 'a'].entries()) {
    const asked = ask(model)
    await host.begun(at + 1)
    host.loaded(model)
    await host.making(1)
    host.finish()
    expect(await asked).toBe('one two')
  }
  expect([host.loads, host.killed]).toEqual([['a', 'b', 'a'], []])
})

test('who waits for a load is not refused while it is likely to end', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  const { gateway, ask } = await before([host], { queue: { classes: { default: { waitMsMax: 100 } } } })
  const asked = [ask('b')]
  await host.begun(1)
  asked.push(ask('b'))
  await gaugeReaches(gateway, 'queue_depth', 1)
  // Several times its patience.
  await sleep(500)
  host.loaded('b')
  await host.making(2)
  host.finish()
  expect(await Promise.all(asked)).toEqual(['one two', 'one two'])
})

test('at the end of patience it hears that the model is still being loaded, and when to come back, where that is longer than a load may take', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  const residency = { loadMsDefault: 400_000 }
  const { ask } = await before([host], {
    queue: { classes: { default: { waitMsMax: 100 } } },
    models: { residency },
  })
  const first = ask('b')
  await host.begun(1)
  const error: unknown = await ask('b').catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ status: 503, code: 'model_loading' })
  const after = (error as { headers: Headers }).headers.get('retry-after')
  expect(Number(after)).toBeGreaterThan(1)
  host.loaded('b')
  await host.making(1)
  host.finish()
  expect(await first).toBe('one two')
})

test('a load that fails is told to the one that began it and to those who waited, and nobody tries it at once again', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  const { gateway, ask } = await before([host])
  const failed = { status: 503, code: 'model_load_failed' }
  const first = expect(ask('b')).rejects.toMatchObject({ status: 502 })
  await host.begun(1)
  const others = [1, 2, 3].map(() => expect(ask('b')).rejects.toMatchObject(failed))
  await gaugeReaches(gateway, 'queue_depth', 3)
  host.failsWith = 500
  host.loaded('b')
  await Promise.all([first, ...others, expect(ask('b')).rejects.toMatchObject(failed)])
  expect([host.loads, host.asked.length]).toEqual([['b'], 1])
})

test('a load that fails sends those who waited to another host', async () => {
  const bad = await startLoadingHost({ kind: 'ollama', models: ['b'] })
  const good = await startLoadingHost({ kind: 'ollama', models: ['b'] })
  const { gateway, ask } = await before([bad, good], { balancing: { policy: 'fastest' } })
  const asked = [ask('b').catch(() => 'failed')]
  await Promise.race([bad.begun(1), good.begun(1)])
  const [failing, other] = bad.loads.length === 1 ? [bad, good] : [good, bad]
  asked.push(ask('b'))
  await gaugeReaches(gateway, 'queue_depth', 1)
  failing.failsWith = 500
  failing.loaded('b')
  await other.begun(1)
  other.loaded('b')
  await other.making(1)
  other.finish()
  expect(await Promise.all(asked)).toEqual(['failed', 'one two'])
})

test('a host that has the model is asked before one that would have to load it, as long as waiting costs less', async () => {
  const warm = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'], resident: ['b'] })
  const cold = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  const { gateway, ask } = await before([cold, warm], {}, 1)
  const first = ask('b')
  await warm.making(1)
  const second = ask('b')
  await gaugeReaches(gateway, 'queue_depth', 1)
  warm.finish()
  expect(await first).toBe('one two')
  await warm.making(1)
  warm.finish()
  expect(await second).toBe('one two')
  expect([cold.loads, cold.asked]).toEqual([[], []])
})

test('where whoever had it loaded leaves, the next has it, and no second load is begun while it lasts', async () => {
  const host = await startLoadingHost({ kind: 'ollama', models: ['a', 'b'] })
  const { gateway, ask } = await before([host])
  const left = new AbortController()
  const body = JSON.stringify({ model: 'b', stream: true, messages: [{ role: 'user', content: 'x' }] })
  const headers = { 'content-type': 'application/json' }
  const gone = fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, body, signal: left.signal })
  await host.begun(1)
  const next = ask('b')
  await gaugeReaches(gateway, 'queue_depth', 1)
  left.abort()
  await expect(gone).rejects.toThrow()
  await gaugeReaches(gateway, 'queue_depth', 0)
  host.loaded('b')
  await host.making(1)
  host.finish()
  expect(await next).toBe('one two')
  expect(host.loads).toEqual(['b'])
})
