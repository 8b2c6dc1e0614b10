/** The line as pages show it: of each key what it was served, of each waiting request where it stands. */
import { expect, test } from 'vitest'
import type { RequestClass } from '../../../src/base/request-class.ts'
import { ByteBudget } from '../../../src/queue/byte-budget.ts'
import { lineView } from '../../../src/queue/line-view.ts'
import { lineViewSchema } from '../../../src/queue/line-view-schema.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

function shown() {
  const hosts = [knownHost('a', { slots: 1 }), knownHost('b', { slots: 1, lists: ['other'] })]
  const world = line(hosts)
  const parts = { dispatcher: world.dispatcher, hosts, budget: new ByteBudget(1_000, () => {}) }
  const classes = new Map<string, RequestClass>([['bob', 'bulk']])
  const view = (count = 100, key: string | null = null) =>
    lineView(parts, { nowMs: world.clock.now(), count, key, classesOf: () => classes })
  return { ...world, hosts, view }
}

test('keys stand in the order of what they were served, and idle ones not at all', async () => {
  const { ask, clock, view } = shown()
  const tokens = { input: 100, output: 10 }
  const running = ask('m', { key: 'alice', weight: 2, tokens })
  ask('m', { key: 'bob', class: 'bulk', tokens: { input: 5, output: 1 } })
  ask('m', { key: 'alice', weight: 2, tokens })
  ask('other', { key: 'carol', tokens }).lease?.release()
  await clock.advance(250)
  const { keys, depths, tokens: all, waiting, hosts } = view()
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

test('requests stand in the order in which they came, with the hosts that they are not sent to', () => {
  const { ask, hosts, view, dispatcher } = shown()
  ask()
  dispatcher.pause()
  ask('m', { key: 'alice' })
  ask('m', { key: 'bob', excluded: [hosts[1]!] })
  ask('m', { key: 'alice' })
  const { requests } = lineViewSchema.parse(view())
  expect(requests.map(({ key, excludedHosts }) => [key, excludedHosts])).toEqual([
    ['alice', []],
    ['bob', ['b']],
    ['alice', []],
  ])
  expect(view(1).requests.map(({ key }) => key)).toEqual(['alice'])
  expect(view(100, 'bob').requests.map(({ key }) => key)).toEqual(['bob'])
  expect(view(100, 'nobody').requests).toEqual([])
})
