/** Whatever happens to a line: played at random with several hosts, models, keys, weights and classes. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { requestClasses } from '../../../src/base/request-class.ts'
import type { AttemptVerdict } from '../../../src/hosts/health.ts'
import { type Asker, LineWorld } from './line-world.ts'

const isLong = process.env['TEST_LONG'] === 'true'

/** Most requests are of one key, and most are small, so that each of the bounds is met at some time. */
const keys = ['alice', 'alice', 'alice', 'bob', 'carol', 'dave']
const tokens = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 4 }) }, { weight: 1, arbitrary: fc.nat({ max: 60 }) })

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      times: fc.integer({ min: 1, max: 4 }),
      key: fc.constantFrom(...keys),
      weight: fc.constantFrom(0.5, 1, 1, 3),
      model: fc.constantFrom('m', 'n', 'both'),
      class: fc.constantFrom(...requestClasses),
      tokens: fc.record({ input: tokens, output: tokens }),
      yields: fc.boolean(),
      isGone: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      pick: fc.nat(),
      served: fc.option(fc.record({ input: tokens, cachedInput: tokens, output: tokens })),
      again: fc.constantFrom('no', 'no', 'no', 'sent_back' as const, 'last' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('generate' as const), pick: fc.nat(), tokens }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reach' as const), pick: fc.nat(), up: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pauseHost' as const), pick: fc.nat(), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pauseLine' as const), on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('verdict' as const),
      pick: fc.nat(),
      verdict: fc.constantFrom<AttemptVerdict>(
        { kind: 'ok' },
        { kind: 'lost' },
        { kind: 'failed' },
        { kind: 'busy', retryAfterMs: 5_000 },
        { kind: 'busy', retryAfterMs: null },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

it('no slot too many or idle, nobody lost or served twice, bounds and order kept, each key charged what it was served', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.boolean(), (steps, asksFirst) => {
      const world = new LineWorld()
      for (const one of steps) {
        play(world, one)
        world.giveBack(asksFirst)
        world.expectSound()
      }
      settleAll(world)
    }),
    // The short form meets the same lines each time, so that it fails by a change alone; the long form looks for others.
    isLong ? { numRuns: 3_000, endOnFailure: true } : { numRuns: 120, endOnFailure: true, seed: 1 },
  )
}, 600_000)

function play(world: LineWorld, one: Step): void {
  const host = 'pick' in one ? world.hosts[one.pick % world.hosts.length] : undefined
  switch (one.kind) {
    case 'ask':
      for (let count = 0; count < one.times; count++) world.ask({ ...one, place: 'newcomer', excluded: [] })
      return
    case 'time':
      world.clock.advanceSync(one.ms)
      return
    case 'pauseLine':
      if (one.on) world.dispatcher.pause()
      else world.dispatcher.resume()
      return
    case 'pauseHost':
      if (one.on) host?.pause()
      else host?.resume()
      return
    case 'reach':
      if (one.up) host?.probeSucceeded({ models: null })
      else host?.connectFailed('gone')
      world.dispatcher.hostsChanged()
      return
    case 'verdict':
      host?.health.attemptEnded(one.verdict)
      return
    default:
      playOne(world, one)
  }
}

function playOne(world: LineWorld, one: Extract<Step, { kind: 'end' | 'generate' | 'leave' }>): void {
  const asker = picked(world.in(one.kind === 'leave' ? 'waiting' : 'running'), one.pick)
  if (asker === undefined) return
  if (one.kind === 'leave') world.leave(asker)
  else if (one.kind === 'generate') world.generate(asker, one.tokens)
  else {
    world.end(asker, one.again === 'no' ? one.served : null)
    if (one.again === 'no') return
    const failedOn = asker.lease === null ? [] : [asker.lease.host]
    world.ask({
      ...asker,
      place: one.again === 'last' ? 'last' : 'sent_back',
      excluded: [...asker.excluded, ...failedOn],
    })
  }
}

function picked(from: readonly Asker[], pick: number): Asker | undefined {
  return from[pick % Math.max(1, from.length)]
}

/** Everything ends well: whoever is left in the line is served, and nothing is left behind. */
function settleAll(world: LineWorld): void {
  world.dispatcher.resume()
  for (const host of world.hosts) {
    host.resume()
    host.probeSucceeded({ models: null })
  }
  world.dispatcher.hostsChanged()
  while (world.in('running').length + world.in('waiting').length > 0) {
    for (const asker of world.in('running')) world.end(asker, { input: 1, cachedInput: 0, output: 1 })
    world.giveBack(false)
    // A host that pauses takes work again by time alone; where none does, patience ends.
    if (world.in('running').length === 0) world.clock.advanceSync(10_000)
    world.expectSound()
  }
  expect(world.dispatcher.length).toBe(0)
  for (const flow of world.dispatcher.flows()) expect(flow).toMatchObject({ waiting: 0, running: 0, waitingTokens: 0 })
}
