/** Whatever happens to a line before hosts that load models: nobody waits beside an idle one that has what is waited for. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { knownModel } from '../../kit/known-hosts.ts'
import { type Asker, LoadingWorld } from './loading-world.ts'

const isLong = process.env['TEST_LONG'] === 'true'

const pick = fc.nat()
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      times: fc.integer({ min: 1, max: 10 }),
      model: fc.constantFrom('a', 'a', 'b', 'c'),
      length: fc.constantFrom(20, 39, 3_000, 6_000, 20_000),
      numCtx: fc.option(fc.constantFrom(512, 4_096)),
      key: fc.constantFrom('alice', 'alice', 'bob'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('content' as const), pick }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      pick,
      how: fc.constantFrom('whole' as const, 'whole', 'whole', 'given_up', 'failed', 'lost', 'not_begun'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), pick }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('probe' as const),
      pick,
      contextTokens: fc.constantFrom(undefined, 4_096, 4_096, 8_192),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reach' as const), pick, up: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 90_000 }) }) },
)

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

it('is served, or told that it fits nowhere', () => {
  const slots = fc.array(fc.constantFrom(1, 2, 4, 10), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(slots, fc.array(step, { maxLength: 80, size: 'max' }), (counts, steps) => {
      const world = new LoadingWorld(counts)
      for (const one of steps) {
        play(world, one)
        expect([...world.faults()]).toEqual([])
      }
      settleAll(world)
    }),
    // The short form meets the same lines each time, so that it fails by a change alone; the long form looks for others.
    isLong ? { numRuns: 5_000, endOnFailure: true } : { numRuns: 80, endOnFailure: true, seed: 1 },
  )
}, 600_000)

const ask = { kind: 'ask', times: 2, model: 'b', length: 6_000, numCtx: 512, key: 'bob' } as const
const up = { kind: 'reach', pick: 0, up: true } as const
const down = { ...up, up: false } as const

it('is served by the only host, which fell during its slow start', () => {
  const world = new LoadingWorld([1])
  for (const one of [down, up, ask, down]) play(world, one)
  world.probeAll()
  expect(world.hosts[0]?.up).toBe(true)
  settleAll(world)
  expect(world.askers.map(({ state }) => state)).toEqual(['over', 'over'])
})

it('is served by a host that must prove itself first, where the one that is up is too small', () => {
  const world = new LoadingWorld([1, 1])
  const [proving, small] = world.hosts
  for (const one of [down, up]) play(world, one)
  small?.probeSucceeded({ models: [{ ...knownModel('b'), contextTokens: 512 }] })
  for (const one of [ask, down]) play(world, one)
  world.probeAll()
  expect([proving?.up, small?.up]).toEqual([false, true])
  expect(world.in('waiting')).not.toEqual([])
  settleAll(world)
  expect(world.askers.map(({ state }) => state)).toEqual(['over', 'over'])
})

it('is served by a host that was kept for a model until another one came up with that', () => {
  const world = new LoadingWorld([1, 1])
  const [back, kept] = world.hosts
  const content = { kind: 'content', pick: 0 } as const
  const end = { kind: 'end', pick: 0, how: 'whole' } as const
  const askC = { ...ask, model: 'c', times: 4, length: 20 } as const
  const askA = { ...askC, model: 'a', times: 1 } as const
  const loads = [{ kind: 'time', ms: 30_000 }, content] as const
  for (const one of [askC, ...loads, end, end, end, end, down, askA, ...loads]) play(world, one)
  play(world, { kind: 'time', ms: 600_000 })
  for (const one of [askA, askC]) play(world, one)
  world.clock.advanceSync(0)
  expect(kept && world.planner.turnAt(kept)).toBe('c')
  if (back?.probeSucceeded({ models: [knownModel('c')] }) === true) world.dispatcher.hostsChanged()
  play(world, end)
  expect([...world.faults()]).toEqual([])
  expect(world.in('running').map(({ model, lease }) => `${model} at ${lease?.host.name}`)).toEqual([
    'a at h1',
    'c at h0',
  ])
})

function play(world: LoadingWorld, one: Step): void {
  const host = 'pick' in one ? world.hosts[one.pick % world.hosts.length] : undefined
  switch (one.kind) {
    case 'ask':
      for (let count = 0; count < one.times; count++) world.ask(one)
      return
    case 'time':
      world.clock.advanceSync(one.ms)
      return
    case 'probe':
      if (host?.up === true) world.probe(host, one.contextTokens)
      return
    case 'reach':
      if (one.up) host?.probeSucceeded({ models: null })
      else host?.connectFailed('gone')
      world.dispatcher.hostsChanged()
      return
    default:
      playOne(world, one)
  }
}

function playOne(world: LoadingWorld, one: Extract<Step, { kind: 'content' | 'end' | 'leave' }>): void {
  const asker = picked(world.in(one.kind === 'leave' ? 'waiting' : 'running'), one.pick)
  if (asker === undefined) return
  if (one.kind === 'leave') world.leave(asker)
  else if (one.kind === 'content') world.content(asker)
  else {
    if (one.how === 'whole') asker.lease?.succeeded()
    else asker.lease?.failed(one.how)
    world.end(asker)
  }
}

function picked(from: readonly Asker[], at: number): Asker | undefined {
  return from[at % Math.max(1, from.length)]
}

/** Whoever is left is served in time, or refused. */
function settleAll(world: LoadingWorld): void {
  for (let turn = 0; turn < 2_000 && world.in('waiting').length + world.in('running').length > 0; turn++) {
    world.probeAll()
    for (const asker of world.in('running')) {
      world.content(asker)
      asker.lease?.succeeded()
      world.end(asker)
    }
    world.clock.advanceSync(10_000)
    expect([...world.faults()]).toEqual([])
  }
  expect(world.in('waiting')).toEqual([])
}
