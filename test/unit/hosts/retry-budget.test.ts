import { describe, expect, it } from 'vitest'
import { RetryBudget } from '../../../src/hosts/retry-budget.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function budgetAtStart() {
  const clock = new FakeClock()
  const budget = new RetryBudget(clock)
  /** How many retries there are, taken. */
  const takeAll = (requestsLive = 1): number => {
    for (let taken = 0; ; taken++) if (!budget.take(requestsLive)) return taken
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

it('what was saved up is worth no more than a fifth of the requests that are live, or three', () => {
  for (const [requestsLive, retries] of [
    [1, 3],
    [19, 3],
    [20, 4],
    [100, 20],
    [10_000, 100],
  ] as const) {
    const { takeAll, deposit } = budgetAtStart()
    deposit(100 * 5)
    expect(takeAll(requestsLive)).toBe(retries)
  }
})

it('an outage in which each request fails at once costs a fifth of the requests and three, however long all was well', () => {
  const { budget, deposit } = budgetAtStart()
  deposit(10_000)
  let retries = 0
  for (let request = 0; request < 1_000; request++) {
    budget.deposit()
    if (budget.take(1)) retries++
  }
  expect(retries).toBeLessThanOrEqual(1_000 * 0.2 + 3)
})

it('what is owed is no more than was allowed, and is paid for before anything else is had', () => {
  const { budget, takeAll, deposit } = budgetAtStart()
  const owed = (): number => {
    for (let taken = 0; ; taken++) if (!budget.take(1, 4)) return taken
  }
  expect([takeAll(), owed(), owed(), takeAll()]).toEqual([3, 4, 0, 0])
  deposit(4 * 5 + 4)
  expect(takeAll()).toBe(0)
  deposit(1)
  expect(takeAll()).toBe(1)
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
    for (let i = 0; i < 3; i++) budget.take(1)
    clock.advanceSync(19_999)
    expect(budget.take(1)).toBe(false)
  })

  it('at three and above nothing comes back by itself', () => {
    const { clock, takeAll, deposit } = budgetAtStart()
    deposit(4)
    clock.advanceSync(1_000_000)
    expect(takeAll(19)).toBe(3)
    deposit(1)
    expect(takeAll()).toBe(1)
  })
})
