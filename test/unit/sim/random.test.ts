/** Chance has the quantiles, means and spreads that it is asked for. */
import { describe, expect, it } from 'vitest'
import { quantile } from '../../sim/figures.ts'
import { meanOf, Random } from '../../sim/random.ts'

const draws = 40_000
const many = (draw: () => number) => Array.from({ length: draws }, draw)
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const within = (actual: number, expected: number, share: number) => {
  expect(actual).toBeGreaterThan(expected * (1 - share))
  expect(actual).toBeLessThan(expected * (1 + share))
}

describe('with a seed', () => {
  const random = new Random(1)

  it('lengths have the median, the 95 % quantile and the mean of their trace', () => {
    const lengths = { p50: 1_020, p95: 4_083 }
    const tokens = many(() => random.tokens(lengths))
    within(quantile(tokens, 0.5), lengths.p50, 0.03)
    within(quantile(tokens, 0.95), lengths.p95, 0.04)
    within(mean(tokens), meanOf(lengths), 0.03)
  })

  it('lengths are whole, at least 1 and at most what the model holds', () => {
    const tokens = many(() => random.tokens({ p50: 2, p95: 40 }, 30))
    expect(tokens.every((count) => Number.isInteger(count) && count >= 1 && count <= 30)).toBe(true)
    expect(tokens).toContain(1)
    expect(tokens).toContain(30)
  })

  it('gaps of Poisson arrivals vary as much as their mean, those of bursts so many times as much', () => {
    const variation = (gaps: readonly number[]) => {
      const middle = mean(gaps)
      return Math.sqrt(mean(gaps.map((gap) => (gap - middle) ** 2))) / middle
    }
    within(variation(many(() => random.exponential(3))), 1, 0.05)
    const bursts = many(() => random.burstyGap(3, 13))
    within(variation(bursts), 13, 0.25)
    within(mean(bursts), 3, 0.25)
  })

  it('what is mistaken is off by its sigma to both sides, and not at all without one', () => {
    const off = many(() => Math.log(random.mistaken(1_000_000, 1) / 1_000_000))
    within(Math.sqrt(mean(off.map((one) => one ** 2))), 1, 0.03)
    expect(Math.abs(mean(off))).toBeLessThan(0.03)
    expect(random.mistaken(123, 0)).toBe(123)
  })
})

it('the same seed gives the same, another one something else', () => {
  const [a, b, c] = [new Random(5), new Random(5), new Random(6)].map((random) => many(() => random.next()).slice(0, 9))
  expect(a).toEqual(b)
  expect(a).not.toEqual(c)
})
