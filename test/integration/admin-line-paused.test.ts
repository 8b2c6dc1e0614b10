/** A line or a host that an operator pauses through the admin API of a real gateway: what runs goes on, what waits waits. */

import { expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { gatewayBefore, gaugeReaches, startDouble } from '../kit/fleet.ts'
import { admin, asked, changesOf, chat, codeOf, expectSeen, held, queue, startStream } from './admin-line-scene.ts'

test('a paused line: what runs goes on and nobody is given a slot, however many are free; resumed, all are served', async () => {
  const { clock, double, gateway, finish } = await held({ host: { slots: 2 } })
  const running = await startStream(gateway, double, { clock })
  expect((await admin(gateway, 'POST', '/admin/queue/pause')).json).toEqual({ paused: true })
  expect((await admin(gateway, 'POST', '/admin/queue/pause')).json).toEqual({ paused: true })
  const answers = [chat(gateway, 'held 1'), chat(gateway, 'held 2'), chat(gateway, 'held 3')]
  await gaugeReaches(gateway, 'queue_depth', 3)
  await finish()
  expect(await running.rest()).toContain('[DONE]')
  const { paused, waiting, requests: listed } = await queue(gateway)
  expect({ paused, waiting }).toEqual({ paused: true, waiting: 3 })
  for (const one of listed) expect(one).toMatchObject({ p50Ms: null, p90Ms: null })
  expect(double.inferenceRequests).toHaveLength(1)

  expect((await admin(gateway, 'POST', '/admin/queue/resume')).json).toEqual({ paused: false })
  await double.waitFor((host) => host.running === 2, 'two of those who waited')
  await finish()
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 4, 'the last of them')
  await finish()
  for (const answer of answers) expect((await answer).status).toBe(200)
  expect((await admin(gateway, 'POST', '/admin/queue/resume')).json).toEqual({ paused: false })
  expect(changesOf(gateway).map(({ action }) => action)).toEqual(['queue.pause', 'queue.resume'])
  // What an operator made longer is no lesson on how long waits are.
  expect((await queue(gateway)).estimates.waits).toBe(0)
})

test('patience goes on: who waits longer than it is told so', async () => {
  const { gateway } = await held({ queue: { waitMsMax: 50 } })
  await admin(gateway, 'POST', '/admin/queue/pause')
  const answer = await chat(gateway, 'waits')
  expect([answer.status, await codeOf(answer)]).toEqual([503, 'queue_timeout'])
})

test('one of two hosts is paused: its stream finishes, all others go to the other one, and its probes go on', async () => {
  const clock = new FakeClock()
  const cost = { ttftMs: 100, decodeTokensPerSecond: 10 }
  const [studio, mini] = [await startDouble({ clock, cost }), await startDouble({ clock, cost })]
  const hosts = [
    { name: 'studio', url: studio.url, slots: 1 },
    { name: 'mini', url: mini.url, slots: 1 },
  ]
  const gateway = await gatewayBefore(hosts, { probe: { everyMs: 100 }, balancing: { policy: 'least-busy' } })
  await admin(gateway, 'POST', '/admin/hosts/mini/pause')
  const running = await startStream(gateway, studio, { clock })
  await admin(gateway, 'POST', '/admin/hosts/mini/resume')
  const paused = await admin(gateway, 'POST', '/admin/hosts/studio/pause')
  expect(paused.json).toEqual({ name: 'studio', paused: true, up: true, running: 1, slots: 1 })
  expect((await admin(gateway, 'POST', '/admin/hosts/studio/pause')).json).toEqual(paused.json)
  const answers = [1, 2, 3].map((nth) => chat(gateway, `others ${nth}`))
  await gaugeReaches(gateway, 'queue_depth', 2)
  const probes = studio.requests.length
  await studio.waitFor(({ requests: seen }) => seen.length > probes + 2, 'more probes')
  for (let served = 1; served <= 3; served += 1) {
    await mini.waitFor(({ inferenceRequests }) => inferenceRequests.length === served, `request ${served}`)
    await clock.advance(1_000)
  }
  for (const answer of answers) expect((await answer).headers.get('x-lmx-gateway-host')).toBe('mini')
  expect(await running.rest()).toContain('[DONE]')
  expect(studio.inferenceRequests).toHaveLength(1)

  // Where the other one is paused as well, who comes waits for either of them to be resumed.
  await admin(gateway, 'POST', '/admin/hosts/mini/pause')
  const last = chat(gateway, 'last')
  await gaugeReaches(gateway, 'queue_depth', 1)
  expect((await queue(gateway)).hosts.map((host) => host.paused)).toEqual([true, true])
  expect((await admin(gateway, 'POST', '/admin/hosts/studio/resume')).json).toMatchObject({ paused: false })
  await studio.waitFor(() => asked(studio, 'last'), 'the one who waited')
  await clock.advance(1_000)
  expect((await last).headers.get('x-lmx-gateway-host')).toBe('studio')
  expect(changesOf(gateway).map(({ action, host }) => `${String(action)} ${String(host)}`)).toEqual([
    'host.pause mini',
    'host.resume mini',
    'host.pause studio',
    'host.pause mini',
    'host.resume studio',
  ])
})

test('of a host that there is not, those that there are are named', async () => {
  const { gateway } = await held()
  for (const verb of ['pause', 'resume']) {
    const { status, json } = await admin(gateway, 'POST', `/admin/hosts/stduio/${verb}`)
    expect(status).toBe(404)
    expect(json).toMatchObject({ error: { code: 'not_found', message: 'There is no such host; there are: studio.' } })
  }
  expect(changesOf(gateway)).toEqual([])
})

test('each route was seen to answer well, and to refuse what it says it may', () => {
  expectSeen('pauseLine', 200)
  expectSeen('resumeLine', 200)
  expectSeen('pauseHost', 200, 404)
  expectSeen('resumeHost', 200, 404)
})
