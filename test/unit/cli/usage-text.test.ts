import { describe, expect, test } from 'vitest'
import { usageText } from '../../../src/cli/usage-text.ts'
import type { UsageReport } from '../../../src/metering/usage-report.ts'

const figures = {
  requests: 1_234,
  failed: 3,
  unfinished: 0,
  input: 1_000_000,
  cachedInput: 0,
  output: 5_000,
  reasoning: 0,
  inputUnreported: 0,
  outputUnreported: 0,
  cost: 0,
}
const report: UsageReport = {
  from: '2026-10-31T23:00:00.000Z',
  to: null,
  timeZone: 'Europe/Berlin',
  currency: 'EUR',
  by: ['key', 'team'],
  rows: [
    { ...figures, key: 'alice', team: 'research' },
    { ...figures, requests: 1, key: 'b', team: null },
  ],
  total: { ...figures, requests: 1_235 },
}

describe('usage for people', () => {
  test('a heading, a row for each group, and a total', () => {
    expect(usageText(report).split('\n')).toEqual([
      'Usage from 2026-11-01 00:00 to now (Europe/Berlin)',
      '',
      'key    team      requests  failed      input  output',
      'alice  research     1,234       3  1,000,000   5,000',
      'b      -                1       3  1,000,000   5,000',
      'total               1,235       3  1,000,000   5,000',
    ])
  })

  test('two keys of one name are told apart by their ids, and no other has one', () => {
    const rows = [
      { ...figures, key: 'alice', keyId: 'a1', day: '2026-11-01' },
      { ...figures, key: 'alice', keyId: 'a2', day: '2026-11-01' },
      { ...figures, key: 'bob', keyId: 'b1', day: '2026-11-01' },
      { ...figures, key: 'bob', keyId: 'b1', day: '2026-11-02' },
    ]
    const lines = usageText({ ...report, by: ['key', 'day'], rows }).split('\n')
    expect(lines.slice(3, 7).map((line) => line.split(/ {2,}/)[0])).toEqual(['alice (a1)', 'alice (a2)', 'bob', 'bob'])
  })

  test('what there is none of has no column; what there is has one, and what no host reported is marked', () => {
    const more = { ...figures, unfinished: 2, cachedInput: 10, reasoning: 4, inputUnreported: 502_500, cost: 12.5 }
    const text = usageText({
      ...report,
      by: ['key'],
      rows: [
        { ...more, key: 'a' },
        { ...figures, key: 'b' },
      ],
      total: more,
    })
    expect(text.split('\n').slice(2, 5)).toEqual([
      'key    requests  failed  unfinished      input  cached  output  reasoning  unreported    EUR',
      'a         1,234       3           2  1,000,000      10   5,000          4        50 %  12.50',
      'b         1,234       3              1,000,000           5,000',
    ])
    expect(text).toMatch(/\n\nunreported: .*estimated/)
  })

  test.each([
    [1, '<1 %'],
    [10_050, '1 %'],
    [1_005_000, '100 %'],
  ])('%i unreported tokens are %s', (inputUnreported, share) => {
    const total = { ...figures, inputUnreported }
    expect(usageText({ ...report, by: [], rows: [], total }).split('\n')[3]).toMatch(new RegExp(` ${share}$`))
  })

  test('without columns there is one sum', () => {
    expect(
      usageText({ ...report, by: [], rows: [{ ...figures }] })
        .split('\n')
        .slice(2),
    ).toEqual(['requests  failed      input  output', '   1,235       3  1,000,000   5,000'])
  })

  test('small costs are not rounded away', () => {
    const total = { ...figures, cost: 0.000123 }
    expect(usageText({ ...report, by: [], rows: [], total })).toMatch(/ 0\.000123$/)
  })

  test('no name steers the terminal', () => {
    expect(usageText({ ...report, by: ['key'], rows: [{ ...figures, key: 'a\u001b[2J\n' }] })).toContain('\na?[2J?')
  })
})
