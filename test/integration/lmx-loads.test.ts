/** Models that an LMX host has on its disk: loaded and unloaded by its admin API, where the gateway has a key and leave. */

import { expect, test } from 'vitest'
import type { ConfigInput } from '../kit/config-of.ts'
import { ask as askFor, clientOf, gatewayBefore, gaugeReaches, type HostInput, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import type { LmxDouble, LmxDoubleOptions } from '../kit/lmx-double/lmx-double.ts'
import { eventually } from '../kit/within.ts'

const adminKey = 'the-admin-key-of-studio'
const onDisk = { 'org/a': { gigabytes: 10 }, 'org/b': { gigabytes: 10 }, 'org/c': { gigabytes: 10 } }
/** Turns are over at once. */
const quick = { keepMsMin: 0, loadShareMax: 0.9, loadMsDefault: 1 }

async function studio(
  options: LmxDoubleOptions = {},
  host: Partial<HostInput> = {},
  config: Partial<ConfigInput> = {},
) {
  const double = await startDouble({ models: ['org/a'], onDisk, requireAdminKey: adminKey, ...options })
  const hosts = [{ name: 'studio', url: double.url, slots: 16, adminKey, allowModelLoads: true, ...host }]
  const gateway = await gatewayBefore(hosts, { models: { residency: quick }, ...config, probe: { everyMs: 200 } })
  const client = clientOf(gateway, { maxRetries: 0 })
  const ask = async (model: string): Promise<string> => {
    const answer = await client.chat.completions.create({ ...askFor('x', 3), model })
    return answer.choices[0]?.message.content?.trim() ?? ''
  }
  return { double, gateway, client, ask }
}

/** Resolves when the gateway knows what is on the disk. */
async function listed(gateway: GatewayUnderTest, models: number): Promise<void> {
  await gaugeReaches(gateway, 'host_models', models)
}

const ordered = (double: LmxDouble, loads: number): Promise<void> =>
  eventually(10_000, `${loads} loads to be ordered`, () => double.models.ordered.length >= loads)

test('ten requests at once for a model on its disk cause one load, and are served when it is there', async () => {
  const { double, gateway, ask } = await studio({ holdLoads: true })
  await listed(gateway, 3)
  const asked = Array.from({ length: 10 }, () => ask('org/b'))
  await ordered(double, 1)
  await gaugeReaches(gateway, 'queue_depth', 10)
  expect(double.inferenceRequests).toEqual([])
  double.models.endLoads()
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['w0 w1 w2']))
  expect([double.models.ordered, double.models.unloaded]).toEqual([['org/b'], []])
  const admin = double.requests.filter(({ path }) => path.startsWith('/admin/'))
  expect(new Set(admin.map(({ headers }) => headers['x-admin-key']))).toEqual(new Set([adminKey]))
  const others = double.requests.filter(({ path }) => !path.startsWith('/admin/'))
  expect(others.filter(({ headers }) => headers['x-admin-key'] !== undefined)).toEqual([])
  expect(JSON.stringify(gateway.log)).not.toContain(adminKey)
})

test('a model that is generating is not unloaded for another: that one is loaded when it is done', async () => {
  const { double, gateway, client, ask } = await studio({ cost: { decodeTokensPerSecond: 20 } }, { modelsLoadedMax: 1 })
  await listed(gateway, 3)
  const running = await client.chat.completions.create({ ...askFor('x', 20), model: 'org/a', stream: true })
  const other = ask('org/b')
  await gaugeReaches(gateway, 'queue_depth', 1)
  expect(double.models.unloaded).toEqual([])
  let text = ''
  for await (const chunk of running) text += chunk.choices[0]?.delta.content ?? ''
  expect(text.trim().split(' ')).toHaveLength(20)
  expect(await other).toBe('w0 w1 w2')
  expect([double.models.unloaded, double.models.ids]).toEqual([['org/a'], ['org/b']])
})

/** A stream that did not come through the gateway: its pieces so far, and a promise of its end. */
function strangersStream(double: LmxDouble, model: string, tokens: number) {
  const text = { now: '' }
  const body = JSON.stringify({ ...askFor('x', tokens), model, stream: true })
  const headers = { 'content-type': 'application/json' }
  const read = async (): Promise<void> => {
    const answer = await fetch(`${double.url}/v1/chat/completions`, { method: 'POST', headers, body })
    const decoder = new TextDecoder()
    const chunks: AsyncIterable<Uint8Array> | null = answer.body
    for await (const chunk of chunks ?? []) text.now += decoder.decode(chunk, { stream: true })
  }
  return { text, ended: read() }
}

test('a model that generates for somebody else is not unloaded either, whether a probe has told of that or not', async () => {
  const slow = { cost: { decodeTokensPerSecond: 20 } }
  const { double, gateway, client } = await studio(slow, { modelsLoadedMax: 1 }, { probe: { everyMs: 60_000 } })
  await listed(gateway, 3)
  const { text, ended } = strangersStream(double, 'org/a', 20)
  await eventually(10_000, 'its first piece', () => text.now.includes('w0'))
  // The last probe saw nobody.
  const other = client.chat.completions.create({ ...askFor('x', 3), model: 'org/b' }, { timeout: 1_000 })
  await expect(other).rejects.toThrow()
  await ended
  expect(text.now).toContain('w19')
  expect(text.now).toContain('[DONE]')
  expect([double.models.unloaded, double.models.ordered]).toEqual([[], []])
})

test('it has its turn once that one is done', async () => {
  const { double, gateway, ask } = await studio({ cost: { decodeTokensPerSecond: 20 } }, { modelsLoadedMax: 1 })
  await listed(gateway, 3)
  const { text, ended } = strangersStream(double, 'org/a', 20)
  await eventually(10_000, 'its first piece', () => text.now.includes('w0'))
  const other = ask('org/b')
  await ended
  expect(text.now).toContain('w19')
  expect(await other).toBe('w0 w1 w2')
  expect(double.models.unloaded).toEqual(['org/a'])
})

test('what is known not to fit puts nothing out, and whoever asks for it hears so at once, in numbers', async () => {
  const huge = { ...onDisk, 'org/huge': { gigabytes: 500 } }
  const memory = { totalGb: 64, usedGb: 30 }
  const { double, gateway, ask } = await studio({ models: ['org/a', 'org/b', 'org/c'], onDisk: huge, memory })
  await listed(gateway, 4)
  const asked = ask('org/huge')
  await expect(asked).rejects.toMatchObject({ status: 503, code: 'model_load_failed' })
  await expect(asked).rejects.toThrow('it has 500.0 GB, and the host has room for 63.6 GB at the most')
  expect([double.models.ordered, double.models.unloaded, double.models.ids.length]).toEqual([[], [], 3])
})

test('without leave, or without a key, nothing is loaded and nothing on the disk is offered', async () => {
  const { double, gateway, ask } = await studio({}, { allowModelLoads: false })
  await listed(gateway, 1)
  await expect(ask('org/b')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
  expect(double.models.ordered).toEqual([])
})

test('for want of memory the one that was used least lately is unloaded first', async () => {
  const memory = { totalGb: 40, usedGb: 20 }
  const { double, gateway, ask } = await studio({ models: ['org/a'], memory })
  await listed(gateway, 3)
  await ask('org/b')
  await ask('org/c')
  expect([double.models.ordered, double.models.unloaded]).toEqual([['org/b', 'org/c'], ['org/a']])
})

test('a host that says that it has no room gives up what was used least lately, and is asked again', async () => {
  const { double, gateway, ask } = await studio({ memory: { totalGb: 40, usedGb: 10 } })
  await listed(gateway, 3)
  // Whatever else runs on that machine has taken it since.
  double.setMemoryUsedGb(35)
  expect(await ask('org/b')).toBe('w0 w1 w2')
  expect([double.models.ordered, double.models.unloaded]).toEqual([['org/b', 'org/b'], ['org/a']])
})

test('what is not on the disk any more is refused with the reason, and no download is confirmed', async () => {
  const disk: Record<string, { gigabytes: number }> = { ...onDisk }
  const { double, gateway, ask } = await studio({ onDisk: disk, downloadsEnabled: true })
  await listed(gateway, 3)
  delete disk['org/c']
  const refused = { status: 503, code: 'model_load_failed' }
  await expect(ask('org/c')).rejects.toMatchObject(refused)
  // Nobody who comes at once has it tried again.
  await expect(ask('org/c')).rejects.toMatchObject(refused)
  expect(double.models.ordered).toEqual(['org/c'])
  expect(double.requests.filter(({ path }) => path.includes('confirm'))).toEqual([])
})

test('a load that took too long may go on at the host: no other begins there until it must be over', async () => {
  const config = { relay: { loadMsMax: 1_000 }, models: { residency: { ...quick, loadMsDefault: 60_000 } } }
  const { double, gateway, client, ask } = await studio({ holdLoads: true }, { modelsLoadedMax: 3 }, config)
  await listed(gateway, 3)
  await expect(ask('org/b')).rejects.toMatchObject({ status: 503, code: 'model_load_failed' })
  const other = client.chat.completions.create({ ...askFor('x', 3), model: 'org/c' }, { timeout: 1_000 })
  await expect(other).rejects.toThrow()
  expect(double.models.ordered).toEqual(['org/b'])
  double.models.endLoads()
})

test('a host that dies during a load is waited for no longer than it takes to say so', async () => {
  const { double, gateway, ask } = await studio({ holdLoads: true })
  await listed(gateway, 3)
  const asked = ask('org/b')
  await ordered(double, 1)
  double.crash()
  await expect(asked).rejects.toMatchObject({ status: 503 })
  await gaugeReaches(gateway, 'queue_depth', 0)
  await double.openListener()
})
