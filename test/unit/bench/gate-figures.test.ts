/** When the gate fails, and when it says that it cannot be sure. */
import { expect, test } from 'vitest'
import { type GateFigure, gateVerdicts, type Recorded } from '../../bench/gate-figures.ts'
import type { Spread } from '../../bench/statistics.ts'

const spread = (median: number, low = median, high = median): Spread => ({
  median,
  low,
  high,
  interval: 'bootstrap 95 %',
})
const figure = (ratioToNginx: Spread, name: GateFigure['name'] = 'CPU a token'): GateFigure => ({
  name,
  ratioToNginx,
  gateway: spread(1),
  nginx: spread(1),
})
const recorded: Recorded = {
  commit: 'aaaa',
  machine: 'm',
  node: '26',
  nginx: '1.22',
  rounds: 6,
  figures: [figure(spread(2))],
}

test.each([
  ['cheaper', spread(1.8, 1.7, 1.9), false, '-10 %; within 15 %'],
  ['somewhat dearer', spread(2.2, 2.1, 2.29), false, '+10 %; within 15 %'],
  ['much dearer', spread(2.5, 2.4, 2.6), true, '+25 %; beyond 15 %'],
  ['perhaps too dear', spread(2.2, 2.1, 2.4), false, '+10 %; within 15 %; by the median alone'],
  ['perhaps not too dear', spread(2.4, 2.1, 2.6), true, '+20 %; beyond 15 %; by the median alone'],
])('%s', (_what, ratio, isBeyond, words) => {
  const [verdict] = gateVerdicts([figure(ratio)], recorded)
  expect(verdict).toMatchObject({ name: 'CPU a token', isBeyond, words: expect.stringContaining(words) as string })
})

test('what was recorded and not measured now is not passed over', () => {
  const verdicts = gateVerdicts([figure(spread(2), 'CPU a request')], recorded)
  expect(verdicts).toEqual([{ name: 'CPU a token', isBeyond: true, words: 'CPU a token: was not measured' }])
})
