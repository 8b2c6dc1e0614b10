import { expect, test } from 'vitest'
import { amountOf } from '../../bench/parts/thousands.ts'

test.each([
  [1, 4_000, 4_000],
  [0.25, 4_000, 1_000],
  [0.001, 4_000, 20],
  [10, 4_000, 4_000],
])('at scale %d, %i are %i', (scale, amount, taken) => {
  expect(amountOf({ scale }, amount)).toBe(taken)
})
