/** The machine against closed forms: what prompts and answers take, alone, together and in each other's way. */
import { describe, expect, it } from 'vitest'
import { FluidHost, type Work } from '../../sim/fluid-host.ts'
import { capacity, decodeRate, type HostProfile, prefillSeconds } from '../../sim/host-profile.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'

const profile: HostProfile = {
  name: 'machine',
  slots: 4,
  prefillTokensPerSecond: 1_000,
  decodeTokensPerSecond: 100,
  slowdown: 0.25,
  decodeShareDuringPrefill: 0.2,
}

interface Asked {
  readonly input: number
  readonly output: number
  readonly atMs?: number
  readonly conversation?: number
  readonly shared?: number
}

/** When each had its first token and its last, in seconds. */
function times(asked: readonly Asked[], more: Partial<HostProfile> = {}): (readonly [number, number])[] {
  const clock = new VirtualClock()
  const host = new FluidHost({ ...profile, ...more }, clock)
  const seen = asked.map((): [number, number] => [Number.NaN, Number.NaN])
  for (const [at, { input, output, atMs = 0, conversation = null, shared = 0 }] of asked.entries()) {
    const job = {
      inputTokens: input,
      sharedTokens: shared,
      conversation,
      outputTokens: output,
      firstToken: () => void (seen[at]![0] = clock.now() / 1000),
      ended: () => void (seen[at]![1] = clock.now() / 1000),
    }
    clock.after(atMs, () => host.start(job))
  }
  clock.runUntil(10_000_000)
  return seen
}

const close = (actual: number | undefined, expected: number) => expect(actual).toBeCloseTo(expected, 6)

describe('a prompt', () => {
  it('alone takes its tokens by the speed of reading, and gives the first token', () => {
    const [[first, last] = [0, 0]] = times([{ input: 2_000, output: 101 }])
    close(first, 2)
    close(last, 2 + 100 / 100)
  })

  it('waits for those that came before it', () => {
    const [, [first] = [0]] = times([
      { input: 3_000, output: 1 },
      { input: 1_000, output: 1 },
    ])
    close(first, 4)
  })

  it('is read more slowly the longer it is, where the machine is so', () => {
    const [[first] = [0]] = times([{ input: 4_000, output: 1 }], { prefillHalvedAtTokens: 4_000 })
    close(first, 8)
    close(prefillSeconds({ ...profile, prefillHalvedAtTokens: 4_000 }, 4_000), 8)
  })

  it('of a conversation that the machine has kept is read only in what is new', () => {
    const turns = [
      { input: 1_000, output: 1, conversation: 7 },
      { input: 1_500, output: 1, conversation: 7, shared: 1_000, atMs: 10_000 },
    ]
    close(times(turns, { prefixesKept: 1 })[1]?.[0], 10.5)
    close(times(turns)[1]?.[0], 11.5)
  })

  it('is read whole again once others have taken its place', () => {
    const turns = [
      { input: 1_000, output: 1, conversation: 7 },
      { input: 1_000, output: 1, conversation: 8 },
      { input: 1_500, output: 1, conversation: 7, shared: 1_000, atMs: 10_000 },
    ]
    close(times(turns, { prefixesKept: 1 })[2]?.[0], 11.5)
    close(times(turns, { prefixesKept: 2 })[2]?.[0], 10.5)
  })
})

describe('answers', () => {
  it('together are slower each, by the slowdown for each further one', () => {
    // The prompts take no time to speak of, so all of them are written at once.
    const seen = times(
      Array.from({ length: 4 }, () => ({ input: 1, output: 101 })),
      { prefillTokensPerSecond: 1e9 },
    )
    for (const [, last] of seen) expect(last).toBeCloseTo((100 * (1 + 0.25 * 3)) / 100, 3)
  })

  it('go on at their share while a prompt is read', () => {
    const [[, last] = [0, 0]] = times([
      { input: 1_000, output: 201 },
      { input: 1_000, output: 1, atMs: 1_500 },
    ])
    // Half a second alone, one second at a fifth of the speed, the rest alone again.
    close(last, 1 + 0.5 + 1 + (200 - 50 - 20) / 100)
  })

  it('stand still while a prompt is read, where that blocks everything', () => {
    const [[, last] = [0, 0]] = times(
      [
        { input: 1_000, output: 201 },
        { input: 1_000, output: 1, atMs: 1_500 },
      ],
      { decodeShareDuringPrefill: 0 },
    )
    close(last, 1 + 2 + 1)
  })

  it('are slower with a long context, where the machine is so', () => {
    close(decodeRate({ ...profile, stepDoubledAtTokens: 10_000 }, 1, 10_000), 50)
  })

  it('of a client that left take nothing any more', () => {
    const clock = new VirtualClock()
    const host = new FluidHost({ ...profile, prefillTokensPerSecond: 1e9 }, clock)
    let lastMs = 0
    const job = { inputTokens: 1, sharedTokens: 0, conversation: null, outputTokens: 101, firstToken: () => {} }
    const works: Work[] = []
    works.push(host.start({ ...job, ended: () => void (lastMs = clock.now()) }))
    works.push(host.start({ ...job, ended: () => expect.unreachable('it had left') }))
    clock.after(500, () => host.stop(works[1]!))
    clock.runUntil(10_000)
    // Half a second of two, then one alone.
    expect(lastMs / 1000).toBeCloseTo(0.5 + (100 - 0.5 * 80) / 100, 3)
    expect(works[1]!.written).toBeCloseTo(1 + 0.5 * 80, 3)
    expect(host.written).toBeCloseTo(works[0]!.written + works[1]!.written, 6)
  })
})

it('a machine whose slots are always full answers as many per second as is reckoned', () => {
  const clock = new VirtualClock()
  const host = new FluidHost(profile, clock)
  let answered = 0
  const ask = (output: number) => {
    host.start({
      inputTokens: 800,
      sharedTokens: 0,
      conversation: null,
      outputTokens: output,
      firstToken: () => {},
      ended: () => {
        answered++
        ask(100 + ((answered * 37) % 201))
      },
    })
  }
  for (let slot = 0; slot < profile.slots; slot++) ask(100 + slot * 60)
  clock.runUntil(3_600_000)
  const perSecond = answered / 3_600
  expect(perSecond).toBeGreaterThan(0.9 * capacity(profile, 800, 200))
  expect(perSecond).toBeLessThan(1.1 * capacity(profile, 800, 200))
})
