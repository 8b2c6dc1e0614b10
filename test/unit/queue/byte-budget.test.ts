import { expect, it } from 'vitest'
import { ByteBudget } from '../../../src/queue/byte-budget.ts'

it('takes up to its bound, nothing past it, and what was given back can be taken again', () => {
  let refused = 0
  const budget = new ByteBudget(10, () => void refused++)
  expect([budget.take(4), budget.take(6), budget.take(1)]).toEqual([true, true, false])
  expect(budget.held).toBe(10)
  budget.give(4)
  expect([budget.take(5), budget.take(4), budget.held]).toEqual([false, true, 10])
  expect(refused).toBe(2)
})
