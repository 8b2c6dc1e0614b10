import { describe, expect, it } from 'vitest'
import { RetryBudget } from '../../../src/hosts/retry-budget.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function budgetAtStart() {
  const clock = new FakeClock()
  const budget = new RetryBudget(clock)
  /** How many retries there are, taken. */
  const takeAll = (): number => {
    for (let taken = 0; ; taken++) if (!budget.take()) return taken
  }
  const deposit = (times: number): void => {
    for (let i = 0; i < times; i++) budget.deposit()
  }
  return { clock, budget, takeAll, deposit }
}

it('begins with three', () => {
  expect(budgetAtStart().takeAll()).toBe(3)
})

it('five first attempts make a retry, four do not', () => {
  const { takeAll, deposit } = budgetAtStart()
  takeAll()
  deposit(4)
  expect(takeAll()).toBe(0)
  deposit(1)
  expect(takeAll()).toBe(1)
})

it('holds a hundred', () => {
  const { takeAll, deposit } = budgetAtStart()
  deposit(97 * 5)
  expect(takeAll()).toBe(100)
  deposit(100 * 5 + 1)
  expect(takeAll()).toBe(100)
})

describe('below three', () => {
  it('one comes back per 20 s and not a millisecond earlier, up to three', () => {
    const { clock, takeAll } = budgetAtStart()
    takeAll()
    clock.advanceSync(19_999)
    expect(takeAll()).toBe(0)
    clock.advanceSync(1)
    expect(takeAll()).toBe(1)
    clock.advanceSync(1_000_000)
    expect(takeAll()).toBe(3)
  })

  it('time spent with three or more counts for nothing', () => {
    const { clock, budget } = budgetAtStart()
    clock.advanceSync(1_000_000)
    for (let i = 0; i < 3; i++) budget.take()
    clock.advanceSync(19_999)
    expect(budget.take()).toBe(false)
  })

  it('at three and above nothing comes back by itself', () => {
    const { clock, takeAll, deposit } = budgetAtStart()
    deposit(4)
    clock.advanceSync(1_000_000)
    expect(takeAll()).toBe(3)
    deposit(1)
    expect(takeAll()).toBe(1)
  })
})
