/** Rates of tokens, made to fit what a machine carries. */
import { expect, test } from 'vitest'
import { burstLoad, steadyLoads } from '../../bench/parts/tokens.ts'

const rateOf = ({ streams, everyMs }: { streams: number; everyMs: number }) => (streams * 1_000) / everyMs

test('a machine that carries all rates has them as they were meant, any other the same shares of what it can', () => {
  expect(steadyLoads(50_000).map(rateOf)).toEqual([2_000, 6_000, 12_000])
  expect(steadyLoads(6_000).map(rateOf)).toEqual([1_000, 3_000, 6_000])
  expect(steadyLoads(6_000).map(({ words }) => words)).toEqual(['1000 tokens/s', '3000 tokens/s', '6000 tokens/s'])
})

test.each([
  [32, 7_500, 50_000],
  [128, 7_500, 50_000],
  [128, 7_500, 3_000],
])('bursts of %d are whole, and come to about the rate: %d, at most %d', (burst, wanted, most) => {
  const load = burstLoad(burst, wanted, most)
  expect(load.streams % burst).toBe(0)
  // Streams tick by whole milliseconds.
  expect(Math.abs(rateOf(load) / Math.min(wanted, most) - 1)).toBeLessThan(0.1)
})
