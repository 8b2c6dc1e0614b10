/** Hosts that load what a request names: one load for all who wait, none that ends what others generate, and none waited for in vain. */
import { expect, test } from 'vitest'
import type { ConfigInput } from '../../src/config/schema.ts'
import { clientOf, gatewayBefore, gaugeReaches } from '../kit/fleet.ts'
import { type LoadingHost, type LoadingHostOptions, type LoadingKind, startLoadingHost } from '../kit/loading-host.ts'

const kinds: readonly LoadingKind[] = ['ollama', 'lm-studio', 'llama-cpp']

async function before(hosts: readonly LoadingHost[], config: Omit<ConfigInput, 'hosts'> = {}, slots = 16) {
  const gateway = await gatewayBefore(
    hosts.map(({ url }, at) => ({ name: 'abc'[at] ?? 'x', url, slots })),
    config,
  )
  const client = clientOf(gateway, { maxRetries: 0 })
  const ask = async (model: string, stream = true): Promise<string> => {
    const body = { model, messages: [{ role: 'user' as const, content: 'x' }] }
    if (!stream) return (await client.chat.completions.create(body)).choices[0]?.message.content ?? ''
    let text = ''
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ''
    }
    return text
  }
  return { gateway, ask }
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
