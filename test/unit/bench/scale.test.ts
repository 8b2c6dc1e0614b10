/** What the shorter forms of the benchmark leave out. */
import { expect, test } from 'vitest'
import { fewRounds, unhurried } from '../../bench/scale.ts'

test('the quick form warms up as long as the full one; less than it, where no figures are wanted, does not', () => {
  expect([0.01, 0.25, 1, 3].map(unhurried)).toEqual([0.04, 1, 1, 1])
})

test('parts that need few rounds have a third of them, and never more than they want', () => {
  expect([1, 3, 4, 6, 100].map((rounds) => fewRounds(rounds, 2))).toEqual([1, 1, 2, 2, 2])
})
