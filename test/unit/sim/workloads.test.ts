/** The workloads are what they say: rates, lengths, and that a seed decides everything. */
import { describe, expect, it } from 'vitest'
import { quantile } from '../../sim/figures.ts'
import { capacity } from '../../sim/host-profile.ts'
import type { Arrival, Workload } from '../../sim/workload.ts'
import {
  agentLike,
  chatLike,
  hotter,
  type SharedBeginnings,
  sharedBeginnings,
} from '../../sim/workloads/shared-beginnings.ts'
import { workloadNames, workloads } from '../../sim/workloads/workloads.ts'

const within = (actual: number, expected: number, share: number) => {
  expect(actual).toBeGreaterThan(expected * (1 - share))
  expect(actual).toBeLessThan(expected * (1 + share))
}

function load({ arrivals, hosts, durationMs }: Workload): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const input = mean(arrivals.map((arrival) => arrival.input))
  const output = mean(arrivals.map((arrival) => arrival.output))
  const perSecond = arrivals.length / (durationMs / 1000)
  return perSecond / hosts.reduce((sum, host) => sum + capacity(host, input, output), 0)
}

describe.each(workloadNames)('%s', (name) => {
  it('is the same for the same seed, and another for another', () => {
    expect(workloads[name].make(3).arrivals).toEqual(workloads[name].make(3).arrivals)
    expect(workloads[name].make(3).arrivals).not.toEqual(workloads[name].make(4).arrivals)
  })

  it('has its arrivals in order, within its time, of its streams', () => {
    const { arrivals, streams, durationMs } = workloads[name].make(1)
    const isSound = ({ atMs, stream, input, output }: Arrival, at: number): boolean =>
      atMs >= (arrivals[at - 1]?.atMs ?? 0) && atMs < durationMs && streams.includes(stream) && input > 0 && output > 0
    expect(arrivals.filter((arrival, at) => !isSound(arrival, at))).toEqual([])
  })
})

it.each([
  ['W1-0.5', 0.5],
  ['W1', 0.8],
  ['W1-1.1', 1.1],
] as const)('%s asks for %d of what its hosts can do, with the lengths of the trace', (name, expected) => {
  const { arrivals } = workloads[name].make(1)
  within(load(workloads[name].make(1)), expected, 0.08)
  within(
    quantile(
      arrivals.map(({ input }) => input),
      0.5,
    ),
    1_020,
    0.08,
  )
  within(
    quantile(
      arrivals.map(({ output }) => output),
      0.95,
    ),
    451,
    0.12,
  )
})

it('W4 has a flood of 300 at the end of the first minute; without it all others stay as they are', () => {
  const flooded = workloads.W4.make(2).arrivals
  const isBatch = ({ stream }: (typeof flooded)[number]) => stream.name === 'batch'
  expect(flooded.filter((one) => isBatch(one) && one.atMs === 60_000)).toHaveLength(300)
  const named = ({ stream, ...rest }: (typeof flooded)[number]) => ({ name: stream.name, ...rest })
  const calm = workloads['W4-calm'].make(2).arrivals.map(named)
  expect(flooded.filter((one) => !isBatch(one)).map(named)).toEqual(calm)
  within(calm.filter(({ name }) => name === 'chat1').length, 0.06 * 3_600, 0.25)
})

it('W5 lets a context grow by the answer and what a tool gave, until it begins anew', () => {
  const { arrivals, next } = workloads.W5.make(1)
  let turn = arrivals[0]!
  let grown = 0
  for (let turns = 0; turns < 60; turns++) {
    const following = next!(turn, turn.atMs)!
    const context = [...turn.blocks!, ...turn.answerBlocks!]
    expect(context).toHaveLength(Math.floor((turn.input + turn.output) / 64))
    if (following.blocks![0] === turn.blocks![0]) {
      expect(following.input).toBeGreaterThan(turn.input + turn.output)
      expect(following.blocks!.slice(0, context.length)).toEqual(context)
      grown++
    } else expect(new Set(context).intersection(new Set(following.blocks)).size).toBe(0)
    expect(following.atMs).toBeGreaterThan(turn.atMs)
    turn = following
  }
  expect(grown).toBeGreaterThan(30)
})

describe.each<[string, SharedBeginnings, number]>([
  ['W3', chatLike, 2_900 / 1_500],
  ['W3-hot', hotter, 2_900 / 1_500],
  ['W3-agent', agentLike, 2_900 / 4_000],
])('%s, made after a trace,', (_name, asked, readPerSecond) => {
  const { scale } = asked
  const all = [1, 2, 3].map((seed) => sharedBeginnings(asked)(seed))
  const arrivals = all.flatMap((one) => one.arrivals)
  const of = (valueOf: (arrival: Arrival) => number, share: number) => quantile(arrivals.map(valueOf), share)

  it('has prompts and answers as long as those of the trace', () => {
    within(
      of(({ input }) => input * scale, 0.5),
      6_909,
      0.06,
    )
    within(
      of(({ input }) => input * scale, 0.95),
      39_550,
      0.06,
    )
    within(
      of(({ input }) => input * scale, 0.99),
      85_400,
      0.1,
    )
    within(
      of(({ output }) => output, 0.5),
      350,
      0.16,
    )
    within(
      of(({ output }) => output, 0.95),
      698,
      0.06,
    )
    within(
      of(({ output }) => output, 0.99),
      1_119,
      0.16,
    )
  })

  it('comes as often as it says, which its hosts can do', () => {
    for (const one of all) {
      expect(one.arrivals).toHaveLength(5_000)
      within(5_000 / (one.arrivals.at(-1)!.atMs / 1000), asked.perSecond, 0.05)
    }
    expect(asked.perSecond).toBeLessThan(readPerSecond)
  })

  it('would have to read three of eight tokens only once', () => {
    const seen = new Set<number>()
    let reusable = 0
    for (const { blocks } of all[0]!.arrivals) {
      const known = blocks!.findIndex((block) => !seen.has(block))
      reusable += (known < 0 ? blocks!.length : known) * all[0]!.blockTokens!
      for (const block of blocks!) seen.add(block)
    }
    within(reusable / all[0]!.arrivals.reduce((sum, { input }) => sum + input, 0), 0.37, 0.1)
  })

  it('begins every prompt alike, and goes on alike in the turns of one conversation', () => {
    const [{ arrivals: some }] = all as [Workload]
    const isSound = ({ blocks, commonBlocks, input }: Arrival): boolean =>
      blocks![0] === 0 && commonBlocks === 1 && Math.abs(blocks!.length * 512 - input * scale) < 512 + scale
    expect(some.filter((arrival) => !isSound(arrival))).toEqual([])
    // Of those that share a second block the later one goes on from the earlier one.
    const bySecond = Map.groupBy(
      some.filter(({ blocks }) => blocks!.length > 1),
      ({ blocks }) => blocks![1]!,
    )
    const turns = [...bySecond.values()].filter((one) => one.length > 1)
    expect(turns.length).toBeGreaterThan(500)
    for (const [first, second] of turns) {
      expect(second!.atMs).toBeGreaterThan(first!.atMs)
      expect(second!.blocks!.slice(0, first!.blocks!.length)).toEqual(first!.blocks)
    }
  })
})

it('W7 deals its requests out by when they come, and takes the fastest of its hosts away for ten minutes', () => {
  const { arrivals, faults, hosts } = workloads.W7.make(1)
  expect(faults).toEqual([{ host: hosts[0]!.name, atMs: 600_000, forMs: 600_000 }])
  for (const { atMs, stream } of arrivals) {
    const phase =
      atMs < 600_000 ? 'before' : atMs < 1_200_000 ? 'meanwhile' : atMs < 1_320_000 ? 'recovery' : 'afterwards'
    expect(stream.name).toBe(phase)
  }
  expect(workloads['W7-slow'].make(1).faults).toEqual([{ ...faults![0], slower: 3 }])
})

it('W8 mistakes lengths by a factor of e on average, W4 hardly', () => {
  const sigma = (workload: Workload) => {
    const off = workload.arrivals.map(({ inputExpected, input }) => Math.log(inputExpected / input) ** 2)
    return Math.sqrt(off.reduce((sum, one) => sum + one, 0) / off.length)
  }
  within(sigma(workloads.W8.make(1)), 1, 0.1)
  expect(sigma(workloads.W4.make(1))).toBeLessThan(0.15)
})
