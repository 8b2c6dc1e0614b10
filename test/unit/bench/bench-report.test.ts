/** From rounds to the figures that people read. */
import { describe, expect, test } from 'vitest'
import { type BenchReport, comparisonsOf, relayedIn, reportText } from '../../bench/bench-report.ts'
import type { ArmRound } from '../../bench/gateway-rounds.ts'
import { spreadOf } from '../../bench/statistics.ts'

const arm = (cpuUsPerToken: number | null, more: Partial<ArmRound> = {}): ArmRound => ({
  cpuUsPerToken,
  cpuUsPerRequest: null,
  residentMiBIdle: null,
  residentMiBLoaded: null,
  tokens: 10,
  requests: 3,
  ...more,
})

describe('a comparison', () => {
  test('is the median of the ratios of each round, not the ratio of medians', () => {
    const rounds = [
      { before: arm(10), after: arm(20) },
      { before: arm(20), after: arm(22) },
      { before: arm(40), after: arm(30) },
    ]
    const [token] = comparisonsOf(rounds)
    expect(token).toMatchObject({ name: 'CPU a streamed token', before: 20, after: 22 })
    expect(token?.ratio).toEqual({ median: 1.1, low: 0.75, high: 2, interval: 'min to max' })
  })

  test('there is none of what was not measured in every round', () => {
    const rounds = [
      { before: arm(10, { residentMiBIdle: 80 }), after: arm(20, { residentMiBIdle: 90 }) },
      { before: arm(null, { residentMiBIdle: 80 }), after: arm(22, { residentMiBIdle: 90 }) },
    ]
    expect(comparisonsOf(rounds).map(({ name }) => name)).toEqual(['memory when idle'])
  })

  test('both gateways of all rounds count for what was relayed', () => {
    expect(relayedIn([{ before: arm(1), after: arm(1, { tokens: 5 }) }])).toEqual({ tokens: 15, requests: 6 })
  })
})

test('the text says what is met, what is missed, and what to keep in mind', () => {
  const step = { goal: 1, must: 5 }
  const figure = { waiting: 100, unit: 'µs', bound: step } as const
  const report: BenchReport = {
    node: '26.0.0',
    before: 'aaaa',
    after: 'bbbb with changes',
    rounds: 6,
    machine: {
      atStart: { cores: 2, loadAverage: 0.25, busyShare: 0, stolenShare: 0 },
      loadAverageAtEnd: 1.5,
      model: 'A CPU',
    },
    notes: ['something odd'],
    gateways: [
      {
        name: 'CPU a streamed token',
        unit: 'µs',
        before: 30,
        after: 33,
        ratio: { median: 1.1, low: 1.09, high: 1.12, interval: 'bootstrap 95 %' },
      },
      { name: 'memory when idle', unit: 'MiB', before: 100, after: 100, ratio: spreadOf([1, 1.01, 0.99]) },
    ],
    relayed: { tokens: 600, requests: 0 },
    line: [
      { ...figure, name: 'good', figure: spreadOf([0.9]) },
      { ...figure, name: 'so-so', figure: spreadOf([3]) },
      { ...figure, name: 'bad', figure: spreadOf([7]) },
      { ...figure, name: 'free', figure: spreadOf([7]), bound: null },
    ],
    choosing: [
      { name: 'fastest', unit: 'µs', figure: spreadOf([7]), bound: { goal: 10, must: 10 } },
      { name: 'digests', unit: 'µs/kB', figure: spreadOf([0.5]), bound: null },
    ],
  }
  expect(reportText(report).split('\n')).toEqual([
    'Node 26.0.0, 2 cores (A CPU), load average 0.25 at the start and 1.50 at the end',
    '',
    'Gateway before (aaaa) and after (bbbb with changes), 6 rounds, 600 tokens and 0 whole answers:',
    '  CPU a streamed token  30.0  33.0  µs   × 1.100 (1.090 to 1.120, bootstrap 95 %)  dearer',
    '  memory when idle       100   100  MiB  × 1.000 (0.990 to 1.010, min to max)      too few rounds to tell',
    '',
    'The line of bbbb with changes, medians of 6 rounds:',
    '  good   100  0.90  µs  (0.90 to 0.90)  goal 1: met, must 5: met',
    '  so-so  100  3.00  µs  (3.00 to 3.00)  goal 1: missed, must 5: met',
    '  bad    100  7.00  µs  (7.00 to 7.00)  goal 1: missed, must 5: missed',
    '  free   100  7.00  µs  (7.00 to 7.00)',
    '',
    'Choosing one of 16 hosts that remember 10,000 prompts, medians of 6 rounds:',
    '  fastest  7.00  µs     (7.00 to 7.00)  must 10: met',
    '  digests  0.50  µs/kB  (0.50 to 0.50)',
    '',
    'Note: something odd',
  ])
})
