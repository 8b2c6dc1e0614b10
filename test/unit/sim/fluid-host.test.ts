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
  readonly blocks?: readonly number[]
  readonly answerBlocks?: readonly number[]
}

type Meanwhile = (host: FluidHost, clock: VirtualClock) => void

/** When each had its first token and its last, in seconds. */
function times(
  asked: readonly Asked[],
  more: Partial<HostProfile> = {},
  meanwhile?: Meanwhile,
): (readonly [number, number])[] {
  const clock = new VirtualClock()
  const host = new FluidHost({ ...profile, ...more }, clock, { blockTokens: 100 })
  meanwhile?.(host, clock)
  const seen = asked.map((): [number, number] => [Number.NaN, Number.NaN])
  for (const [at, { input, output, atMs = 0, blocks = [], answerBlocks = [] }] of asked.entries()) {
    const job = {
      inputTokens: input,
      model: 'm',
      blocks,
      answerBlocks,
      outputTokens: output,
      lost: () => {},
      firstToken: () => void (seen[at]![0] = clock.now() / 1000),
      ended: () => void (seen[at]![1] = clock.now() / 1000),
    }
    clock.after(atMs, () => host.start(job))
  }
  clock.runUntil(10_000_000)
  return seen
}

const close = (actual: number | undefined, expected: number) => expect(actual).toBeCloseTo(expected, 6)

/** Blocks of ten hundreds of tokens, unlike those of any other number. */
const tens = (number: number) => Array.from({ length: 10 }, (_, at) => number * 10 + at)

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

  it('that begins like one the machine has kept is read only in what is new', () => {
    const turns = [
      { input: 1_000, output: 1, blocks: tens(1) },
      { input: 1_500, output: 1, blocks: [...tens(1), 91, 92, 93, 94, 95], atMs: 10_000 },
      { input: 1_500, output: 1, blocks: [...tens(1).slice(0, 4), 81, 82, 83], atMs: 20_000 },
      { input: 1_500, output: 1, blocks: [71, ...tens(1).slice(1)], atMs: 30_000 },
    ]
    const firstTokens = times(turns, { blocksKept: 100 }).map(([first]) => first)
    for (const [at, expected] of [1, 10.5, 21.1, 31.5].entries()) close(firstTokens[at], expected)
    close(times(turns)[1]?.[0], 11.5)
  })

  it('is read again from where others have taken its place, its beginning last', () => {
    const turns = [
      { input: 1_000, output: 1, blocks: tens(1) },
      { input: 600, output: 1, blocks: tens(2).slice(0, 6), atMs: 5_000 },
      { input: 1_000, output: 1, blocks: tens(1), atMs: 10_000 },
    ]
    close(times(turns, { blocksKept: 16 })[2]?.[0], 10.001)
    // Six blocks came, of the ten there is room for four more.
    close(times(turns, { blocksKept: 10 })[2]?.[0], 10.6)
    close(times(turns, { blocksKept: 6 })[2]?.[0], 11)
  })

  it('that goes on from an answer finds what the machine wrote', () => {
    const turns = [
      { input: 1_000, output: 501, blocks: tens(1), answerBlocks: [91, 92, 93, 94, 95] },
      { input: 2_000, output: 1, blocks: [...tens(1), 91, 92, 93, 94, 95, 96], atMs: 10_000 },
    ]
    close(times(turns, { blocksKept: 100 })[1]?.[0], 10.5)
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
    const job = { model: 'm', inputTokens: 1, blocks: [], outputTokens: 101, firstToken: () => {}, lost: () => {} }
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

describe('a machine', () => {
  it('that is slower takes so many times as long for what is left', () => {
    const slower: Meanwhile = (host, clock) => {
      clock.after(500, () => host.slowDown(3))
      clock.after(2_000, () => host.slowDown(1))
    }
    const [[first, last] = [0, 0]] = times([{ input: 1_000, output: 101 }], {}, slower)
    // Half of the prompt, the other half at a third of the speed, then the answer.
    close(first, 2)
    close(last, 3)
  })

  it('that crashes loses what it works on and what it had kept, and writes no more', () => {
    const clock = new VirtualClock()
    const host = new FluidHost({ ...profile, blocksKept: 100 }, clock, { blockTokens: 100 })
    const told: string[] = []
    const ask = (name: string, input: number) =>
      host.start({
        inputTokens: input,
        model: 'm',
        blocks: tens(1),
        outputTokens: 1_000,
        firstToken: () => void told.push(`${name} first`),
        ended: () => void told.push(`${name} ended`),
        lost: () => void told.push(`${name} lost`),
      })
    ask('writing', 1_000)
    clock.after(500, () => ask('reading', 3_000))
    clock.after(2_000, () => host.crash())
    clock.runUntil(60_000)
    expect(told).toEqual(['writing first', 'reading lost', 'writing lost'])
    expect(host.isDown).toBe(true)
    const written = host.written
    clock.runUntil(120_000)
    expect(host.written).toBe(written)
    host.comeBack()
    expect(host.isDown).toBe(false)
    expect(ask('again', 1_000).cachedTokens).toBe(0)
  })
})

it('a machine whose slots are always full answers as many per second as is reckoned', () => {
  const clock = new VirtualClock()
  const host = new FluidHost(profile, clock)
  let answered = 0
  const ask = (output: number) => {
    host.start({
      inputTokens: 800,
      model: 'm',
      blocks: [],
      outputTokens: output,
      firstToken: () => {},
      lost: () => {},
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
