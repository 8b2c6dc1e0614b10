/** The table: each target, each bound with its verdict, each ratio with its own. */
import { describe, expect, test } from 'vitest'
import type { Row } from '../../bench/parts/part.ts'
import { type BenchReport, reportText, verdictWords } from '../../bench/report.ts'
import { spreadOf } from '../../bench/statistics.ts'

const row = (more: Partial<Row>): Row => ({
  figure: 'f',
  unit: 'µs',
  byTarget: {},
  ratioToNginx: null,
  must: null,
  goal: null,
  better: 'lower',
  ...more,
})

const report: BenchReport = {
  node: '26.0.0',
  flags: [],
  rounds: 3,
  scale: 1,
  targets: { direct: 'the stub itself', nginx: '1.22.1', gateway: 'aaaa' },
  gatewayRuns: 'compiled',
  machine: {
    model: 'A CPU',
    kernel: 'Linux 6',
    atStart: { cores: 2, loadAverage: 0.25, busyShare: 0, stolenShare: 0 },
    loadAverageAtEnd: 1.5,
    cores: 'each on core 1',
  },
  calibration: null,
  parts: [
    {
      name: 'tokens',
      words: 'what a token costs',
      rows: [
        row({
          figure: 'CPU a token',
          byTarget: { nginx: spreadOf([20]), gateway: spreadOf([50, 40, 60]) },
          ratioToNginx: spreadOf([2.5, 2, 3]),
          must: 45,
          goal: 28,
          ratioMust: 2.6,
          ratioGoal: 1.5,
          note: 'warm',
        }),
        row({
          figure: 'tokens',
          unit: '1/s',
          byTarget: { gateway: spreadOf([30_000]) },
          must: 20_000,
          goal: 33_000,
          better: 'higher',
        }),
      ],
    },
    {
      name: 'idle',
      words: 'memory',
      rows: [row({ figure: 'at rest', unit: 'MB', byTarget: { gateway: spreadOf([80]) } })],
    },
  ],
  notes: ['something odd'],
  tookMs: 90_000,
}

test('the text has every row with its bounds, and what to keep in mind', () => {
  expect(reportText(report).split('\n')).toEqual([
    'Node 26.0.0, 2 cores (A CPU), Linux 6, load average 0.25 at the start and 1.50 at the end',
    'Targets: direct (the stub itself), nginx (1.22.1), gateway (aaaa); each on core 1',
    'Gateways: compiled',
    '3 rounds in random order, each with fresh processes; medians (least to most); 1.5 minutes',
    '',
    'tokens: what a token costs',
    '               unit  nginx  gateway           must   goal   verdict   × nginx           must  goal  verdict',
    '  CPU a token  µs    20.0   50.0 (40.0–60.0)  45.0   28.0   MISSED ?  2.50 (2.00–3.00)  2.60  1.50  must met ?',
    '  tokens       1/s   -      30000             20000  33000  must met  -',
    '    CPU a token: warm',
    '',
    'idle: memory',
    '           unit  gateway',
    '  at rest  MB    80.0',
    '',
    'Note: something odd',
  ])
})

test('where there is a baseline, its ratio says whether a change made it dearer', () => {
  const compared = row({
    byTarget: { baseline: spreadOf([10]), gateway: spreadOf([12]) },
    ratioToBaseline: { median: 1.2, low: 1.1, high: 1.3, interval: 'bootstrap 95 %' },
  })
  const text = reportText({ ...report, parts: [{ name: 'p', words: 'w', rows: [compared] }] })
  expect(text).toContain('1.20 (1.10–1.30)  dearer')
})

describe('a verdict', () => {
  test.each([
    [1, 'goal met'],
    [2, 'must met'],
    [3, 'MISSED'],
  ])('of %d', (value, words) => {
    expect(verdictWords({ must: 2, goal: 1, spread: spreadOf([value]), better: 'lower' })).toBe(words)
  })

  test('of what should be high', () => {
    const words = [3, 2, 1].map((value) =>
      verdictWords({ must: 2, goal: 3, spread: spreadOf([value]), better: 'higher' }),
    )
    expect(words).toEqual(['goal met', 'must met', 'MISSED'])
  })

  test('there is none without a bound or a figure', () => {
    expect(verdictWords({ must: null, goal: null, spread: spreadOf([1]), better: 'lower' })).toBe('')
    expect(verdictWords({ must: 1, goal: null, spread: null, better: 'lower' })).toBe('')
  })
})
