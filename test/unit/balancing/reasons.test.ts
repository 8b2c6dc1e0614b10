/** The words by which choices are explained: each of them comes out of a real choice, and is true of it. */
import { describe, expect, it } from 'vitest'
import type { Balancer } from '../../../src/balancing/balancer.ts'
import { makeBalancing } from '../../../src/balancing/balancing.ts'
import type { Decision } from '../../../src/balancing/decision.ts'
import { leftOutReasons } from '../../../src/balancing/decision.ts'
import { balancingOptions, type PolicyName } from '../../../src/balancing/options.ts'
import { type Ask, routingReasons } from '../../../src/balancing/policy.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { ResidencyPlanner } from '../../../src/hosts/residency.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { type KnownHost, knownHost, knownModel } from '../../kit/known-hosts.ts'
import { askFor } from '../../kit/places.ts'

const clock = new FakeClock()
const parts = { clock, onChange() {} }
const residency = { keepMsMin: 60_000, loadShareMax: 0.1, loadMsDefault: 30_000, loadsPerHourMax: 20 }
const seen = { reasons: new Set<string>(), leftOut: new Set<string>() }

function balancerOf(policy: PolicyName): Balancer {
  const { accessOf } = new ResidencyPlanner(() => residency, parts)
  return makeBalancing(balancingOptions.parse({ policy }), { clock, chance: () => 0.5, accessOf }).balancer
}

function loading(name: string, resident: boolean, more: KnownHost = {}): Host {
  const host = knownHost(name, { kind: hostKind('ollama'), slots: 2, lists: null, parts, ...more })
  host.probeSucceeded({ models: [knownModel('m', resident), knownModel('other', false)] })
  return host
}

function busy(host: Host, times = host.slots): Host {
  for (let at = 0; at < times; at++) host.leases.add({})
  return host
}

interface Asked {
  readonly ask?: Partial<Ask>
  readonly mayWait?: boolean
  readonly balancer?: Balancer
}

function choose(hosts: readonly Host[], { ask = {}, mayWait = true, balancer = balancerOf('fastest') }: Asked = {}) {
  const candidates = hosts.map((host) => ({ host, model: 'm' }))
  const decision = balancer.choose(askFor(ask), candidates, { mayWait, waitingFor: () => 0 })
  if (decision !== null) {
    seen.reasons.add(decision.reason)
    for (const { leftOut } of decision.considered) if (leftOut !== null) seen.leftOut.add(leftOut)
  }
  return decision
}

function told(decision: Decision | null): unknown {
  return decision && [decision.place.host.name, decision.reason]
}

function leftOutOf(decision: Decision | null): unknown {
  return decision?.considered.map(({ place, leftOut }) => [place.host.name, leftOut])
}

describe('the only one', () => {
  it('that could take it, and that had a slot, are told apart, whether the request may wait or not', () => {
    const [a, b] = [knownHost('a', { slots: 2 }), busy(knownHost('b', { slots: 2 }))]
    for (const policy of ['fastest', 'least-busy', 'round-robin', 'lmetric'] as const) {
      for (const mayWait of [true, false]) {
        const balancer = balancerOf(policy)
        expect(told(choose([a], { balancer, mayWait }))).toEqual(['a', 'only_host'])
        expect(told(choose([a, b], { balancer, mayWait }))).toEqual(['a', 'only_free_host'])
      }
    }
  })

  it('is none where another one had a slot too', () => {
    const [a, b] = [knownHost('a', { slots: 2 }), knownHost('b', { slots: 2 })]
    expect(choose([a, b])?.reason).toBe('fastest')
  })

  it('of its tier, behind one that is full', () => {
    const first = busy(knownHost('first', { slots: 1 }))
    expect(told(choose([first, knownHost('second', { tier: 2 })]))).toEqual(['second', 'overflow'])
  })
})

describe('where models must be loaded', () => {
  it('one with a slot that is not worth its load stands in the decision, and is why the other one was chosen', () => {
    for (const mayWait of [true, false]) {
      const decision = choose([loading('warm', true), loading('cold', false)], { mayWait })
      expect(told(decision)).toEqual(['warm', 'in_memory'])
      expect(leftOutOf(decision)).toEqual([
        ['warm', null],
        ['cold', 'load'],
      ])
    }
  })

  it('a host is sooner done with it after a load than one that has the model and too much to do', () => {
    const [warm, cold] = [loading('warm', true), loading('cold', false)]
    const balancer = balancerOf('fastest')
    const long = askFor({ tokens: { input: 200_000, output: 100 } })
    const decision = balancer.choose(long, [{ host: warm, model: 'm' }], { mayWait: true, waitingFor: () => 0 })
    warm.leases.add(balancer.begin(long, decision!.place, { output: 0 }))
    expect(told(choose([warm, cold], { balancer }))).toEqual(['cold', 'load'])
  })

  it('one that is at work with another model is told of, and so is one that is full and not waited for', () => {
    const atWork = loading('at-work', false)
    atWork.memory.began('other', {})
    const full = busy(loading('full', true))
    const decision = choose([loading('warm', true), atWork, full], { mayWait: false })
    expect(told(decision)).toEqual(['warm', 'only_free_host'])
    expect(leftOutOf(decision)).toEqual([
      ['warm', null],
      ['full', 'full'],
      ['at-work', 'other_models'],
    ])
  })

  it('one without models to load that is full is held against a load as well, whether the request may wait or not', () => {
    const full = knownHost('full', { slots: 1 })
    const balancer = balancerOf('fastest')
    const ask = askFor({ tokens: { input: 100, output: 10 } })
    const decision = balancer.choose(ask, [{ host: full, model: 'm' }], { mayWait: true, waitingFor: () => 0 })
    full.leases.add(balancer.begin(ask, decision!.place, { output: 0 }))
    for (const mayWait of [true, false]) {
      expect(choose([full, loading('cold', false)], { ask, mayWait, balancer })).toBeNull()
    }
  })
})

it.each([
  ['least-busy', 'least_busy'],
  ['random-two', 'less_busy_of_two'],
  ['round-robin', 'next_in_turn'],
  ['weighted', 'weight'],
  ['lmetric', 'least_prefill'],
  ['sticky', 'sticky'],
] as const)('%s: %s', (policy, reason) => {
  const prompt = { session: 'one', print: null }
  const decision = choose([knownHost('a'), knownHost('b')], { ask: { prompt }, balancer: balancerOf(policy) })
  expect(decision?.reason).toBe(reason)
})

it('fastest: where its name was last, and where its prompt was read', () => {
  const balancer = balancerOf('fastest')
  const hosts = [knownHost('a'), knownHost('b')]
  const print = { digests: [1, 2], ends: [1_000, 20_000], bytes: 20_000, commonCount: 1, owner: 'ann' }
  for (const [prompt, reason] of [
    [{ session: 'one', print: null }, 'session'],
    [{ session: null, print: print as never }, 'prefix'],
  ] as const) {
    const ask = askFor({ prompt, tokens: { input: 5_000, output: 10 } })
    balancer.begin(ask, choose(hosts, { ask, balancer })!.place, { output: 0 }).end()
    expect(choose(hosts, { ask, balancer })?.reason).toBe(reason)
  }
})

it('all words there are were given above', () => {
  expect([...seen.reasons].toSorted()).toEqual([...routingReasons].toSorted())
  expect([...seen.leftOut].toSorted()).toEqual([...leftOutReasons].toSorted())
})
