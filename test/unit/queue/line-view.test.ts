/** The line as pages show it: of each key what it was served, of each waiting request where it stands. */
import { expect, test } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import { ByteBudget } from '../../../src/queue/byte-budget.ts'
import { lineView, type ShownKey } from '../../../src/queue/line-view.ts'
import { lineViewSchema } from '../../../src/queue/line-view-schema.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

function shown() {
  const hosts = [knownHost('a', { slots: 1 }), knownHost('b', { slots: 1, lists: ['other'] })]
  const world = line(hosts)
  const limitWaiting = new Map<string, number>()
  const forLimits = { waiting: { requests: 0, tokens: 0 }, waitingByHolder: () => limitWaiting }
  const parts = { dispatcher: world.dispatcher, hosts, budget: new ByteBudget(1_000, () => {}), forLimits }
  const keys = new Map<string, ShownKey>([['bob', { name: 'bob', class: 'bulk', weight: 1 }]])
  const view = (count = 100, key: string | null = null) =>
    lineView(parts, { clock: world.clock, count, key, keysOf: () => keys })
  return { ...world, ...parts, keys, limitWaiting, view }
}

test('keys stand in the order of what they were served, and idle ones not at all', async () => {
  const { ask, clock, view } = shown()
  const tokens = { input: 100, output: 10 }
  const running = ask('m', { key: 'alice', weight: 2, tokens })
  ask('m', { key: 'bob', class: 'bulk', tokens: { input: 5, output: 1 } })
  ask('m', { key: 'alice', weight: 2, tokens })
  ask('other', { key: 'carol', tokens }).lease?.release()
  await clock.advance(250)
  const { keys, depths, tokens: all, waiting, hosts } = await view()
  expect(keys.map(({ key, waiting: waits, running: runs }) => [key, waits, runs])).toEqual([
    ['bob', 1, 0],
    ['alice', 1, 1],
  ])
  expect(keys[0]).toMatchObject({ class: 'bulk', weight: 1, counter: 0 })
  // Its prompt was charged at the grant, divided by its weight.
  expect(keys[1]).toMatchObject({ class: 'default', weight: 2, counter: 50 })
  expect(depths).toEqual([
    { model: 'm', class: 'default', waiting: 1, tokens: 110, oldestMs: 250 },
    { model: 'm', class: 'bulk', waiting: 1, tokens: 6, oldestMs: 250 },
  ])
  expect([all, waiting]).toEqual([116, 2])
  expect(hosts).toMatchObject([
    { name: 'a', paused: false, up: true, running: 1, slots: 1 },
    { name: 'b', running: 0 },
  ])
  running.lease?.release()
})

test('a key whose requests wait for its limits is shown with them, and be it that nothing else of it is there', async () => {
  const { ask, keys, limitWaiting, forLimits, view } = shown()
  ask('m', { key: 'alice' })
  keys.set('k1', { name: 'carol', class: 'interactive', weight: 3 })
  limitWaiting.set('alice', 2).set('k1', 4).set('192.0.2.0/24', 1)
  forLimits.waiting = { requests: 7, tokens: 70 }
  const shownLine = lineViewSchema.parse(await view())
  expect(shownLine).toMatchObject({ waiting: 0, tokens: 0, limitWaiting: 7, limitTokens: 70 })
  const idle = { waiting: 0, running: 0, counter: 0 }
  expect(shownLine.keys).toEqual([
    { id: 'alice', key: 'alice', class: 'default', weight: 1, waiting: 0, limitWaiting: 2, running: 1, counter: 0 },
    { id: 'k1', key: 'carol', class: 'interactive', weight: 3, limitWaiting: 4, ...idle },
    { id: '192.0.2.0/24', key: 'anonymous', class: 'default', weight: 1, limitWaiting: 1, ...idle },
  ])
})

test('requests stand in the order in which they came, with the hosts that they are not sent to', async () => {
  const { ask, hosts, view, dispatcher } = shown()
  ask()
  dispatcher.pause()
  ask('m', { key: 'alice' })
  ask('m', { key: 'bob', excluded: [hosts[1]!] })
  ask('m', { key: 'alice' })
  const { requests } = lineViewSchema.parse(await view())
  expect(requests.map(({ key, excludedHosts }) => [key, excludedHosts])).toEqual([
    ['alice', []],
    ['bob', ['b']],
    ['alice', []],
  ])
  expect((await view(1)).requests.map(({ key }) => key)).toEqual(['alice'])
  expect((await view(100, 'bob')).requests.map(({ key }) => key)).toEqual(['bob'])
  expect((await view(100, 'nobody')).requests).toEqual([])
})

test('of a line that is much longer than asked for, those that came first', async () => {
  const { ask, view } = shown()
  for (let nth = 0; nth < 101; nth += 1) ask('m', { key: `key ${nth % 7} ${nth}` })
  expect((await view(3)).requests.map(({ key }) => key)).toEqual(['key 1 1', 'key 2 2', 'key 3 3'])
})

test('while estimates are made everything else has its turns, and who waits no more by then is not listed', async () => {
  const { ask, hosts, dispatcher, budget, forLimits } = shown()
  ask('m', { key: 'running' })
  const waiting = Array.from({ length: 5 }, (_, nth) => ask('m', { key: `key ${nth}` }))
  let nowMs = 0
  let turns = 0
  // Each look at it is a millisecond later; in the turn of others one leaves.
  const slow: Clock = {
    now: () => nowMs++,
    wallMs: () => 0,
    after: () => ({ cancel: () => {} }),
    afterTurn(callback) {
      turns++
      waiting.at(-1)?.turn.leave()
      callback()
      return { cancel: () => {} }
    },
  }
  const question = { clock: slow, count: 100, key: null, keysOf: () => new Map<string, ShownKey>() }
  const { requests } = await lineView({ dispatcher, hosts, budget, forLimits }, question)
  expect(turns).toBeGreaterThan(1)
  expect(requests.map(({ key }) => key)).toEqual(['key 0', 'key 1', 'key 2', 'key 3'])
})
