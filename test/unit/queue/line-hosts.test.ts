/** Keys are ordered at each host by what they had there: what happens elsewhere moves nobody up or down. */
import { describe, expect, it } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

const tokens = { input: 1_000, output: 0 }

/** Two hosts of one slot, each with a model of its own. */
function twoHosts() {
  const before = line([knownHost('a', { slots: 1, lists: ['on-a'] }), knownHost('b', { slots: 1, lists: ['on-b'] })])
  const names = new Map<Asker, string>()
  const ask = (key: string, model: string, count = 1): void => {
    for (let number = 1; number <= count; number++) names.set(before.ask(model, { key, tokens }), key)
  }
  /** Ends what runs on host a, so often; whose requests followed. */
  const serveOnA = (times: number): string[] => {
    const from = before.granted.length
    for (let time = 1; time <= times; time++) {
      const running = before.granted.findLast(({ lease }) => lease?.host.name === 'a')
      running?.lease?.release()
    }
    return before.granted.slice(from).map((asker) => names.get(asker) ?? '?')
  }
  const useB = (key: string, times: number): void => {
    for (let time = 1; time <= times; time++) before.ask('on-b', { key, tokens }).lease?.release()
  }
  return { ask, serveOnA, useB }
}

const countOf = (key: string, of: readonly string[]): number => of.filter((one) => one === key).length

describe('a key that comes for a host after others had much of it', () => {
  it.each(['nobody', 'a stranger', 'the key itself'])('has its turns and no more while %s waits for another', (who) => {
    const { ask, serveOnA } = twoHosts()
    ask('long here', 'on-a', 60)
    serveOnA(30)
    ask('at b', 'on-b')
    if (who !== 'nobody') ask(who === 'a stranger' ? who : 'newcomer', 'on-b')
    ask('newcomer', 'on-a', 20)
    expect(countOf('newcomer', serveOnA(20))).toBe(10)
  })
})

it('use of a host where nobody else wanted it costs no turn at another', () => {
  const { ask, serveOnA, useB } = twoHosts()
  ask('long here', 'on-a', 40)
  useB('busy at b', 30)
  ask('busy at b', 'on-a', 20)
  expect(countOf('busy at b', serveOnA(20))).toBe(10)
})

describe('hosts that an attempt has tried', () => {
  it('are excluded for it alone, not for those who began to wait with it', async () => {
    const clock = new FakeClock()
    const host = knownHost('a', { slots: 1 })
    const { ask, dispatcher } = line([host], { clock })
    const running = ask()
    const tried = new Set<Host>()
    const first = { lease: null as Lease | null }
    dispatcher.ask({
      route: new ModelCatalog([host], {}).route('m', 'chat_completions'),
      excluded: tried,
      holder: { id: 'alice', name: 'alice', weight: 1 },
      class: 'default',
      tokens: { input: 0, output: 0 },
      place: 'newcomer',
      granted: (lease) => void (first.lease = lease),
      refused() {},
    })
    const [second, third] = [ask(), ask()]
    running.lease?.release()
    tried.add(host)
    // Longer than what was known of the hosts is believed.
    await clock.advance(2_000)
    const newcomer = ask()
    for (const { lease } of [first, second, third]) lease?.release()
    expect([second, third, newcomer].map(({ lease, error }) => [lease?.host, error])).toEqual([
      [host, null],
      [host, null],
      [host, null],
    ])
  })
})
