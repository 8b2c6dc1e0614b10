/** Medians, how far they can be trusted, and what they allow to say. */
import { describe, expect, test } from 'vitest'
import { median, shuffled, spreadOf, verdictOn } from '../../bench/statistics.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'

describe('a median', () => {
  test.each([
    [[3], 3],
    [[9, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  test('of nothing is none', () => {
    expect(() => median([])).toThrow('nothing was measured')
  })
})

describe('the spread of a few rounds', () => {
  test('is the least and the most of them', () => {
    expect(spreadOf([1.2, 0.9, 1])).toEqual({ median: 1, low: 0.9, high: 1.2, interval: 'min to max' })
  })

  test('of many rounds leaves out what one of them said alone', () => {
    const spread = spreadOf([...Array.from({ length: 15 }, (_, at) => 1 + at / 100), 9])
    expect(spread.interval).toBe('bootstrap 95 %')
    expect(spread.median).toBeCloseTo(1.075)
    expect(spread.low).toBeGreaterThanOrEqual(1)
    expect(spread.low).toBeLessThan(spread.median)
    expect(spread.high).toBeGreaterThan(spread.median)
    expect(spread.high).toBeLessThan(1.2)
  })

  test('covers the true median about as often as it says', () => {
    const random = new SeededRandom(7)
    const noise = () => Array.from({ length: 6 }, () => random.next()).reduce((sum, one) => sum + one, 0) - 3
    const covering = Array.from({ length: 60 }, (_, seed) => {
      const { low, high } = spreadOf(
        Array.from({ length: 12 }, () => 1 + noise()),
        seed,
      )
      return low <= 1 && 1 <= high
    }).filter(Boolean)
    expect(covering.length).toBeGreaterThan(49)
  })
})

test.each([
  [1.01, 1.2, 'dearer'],
  [0.8, 0.99, 'cheaper'],
  [0.9, 1.1, 'no difference seen'],
  [1, 1.1, 'no difference seen'],
])('ratios from %d to %d: %s', (low, high, verdict) => {
  expect(verdictOn({ median: (low + high) / 2, low, high, interval: 'bootstrap 95 %' })).toBe(verdict)
  expect(verdictOn(spreadOf([low, high]))).toBe('too few rounds to tell')
})

test('a shuffled order has every item once, and each of them is first at times', () => {
  const random = new SeededRandom(3)
  const orders = Array.from({ length: 60 }, () => shuffled(['a', 'b', 'c'], random))
  for (const order of orders) expect(order.toSorted()).toEqual(['a', 'b', 'c'])
  for (const name of ['a', 'b', 'c']) expect(orders.filter(([first]) => first === name).length).toBeGreaterThan(10)
})
