import { describe, expect, it, test } from 'vitest'
import { ByteBudget, type ByteShare } from '../../../src/queue/byte-budget.ts'

function budgetOf(bytesMax: number) {
  const noted = { refused: 0 }
  const budget = new ByteBudget(bytesMax, () => {
    noted.refused++
  })
  return { budget, noted }
}

/** Takes byte by byte until no more is given; returns how many. */
function fill(share: ByteShare): number {
  let taken = 0
  while (share.take(1) === null) taken++
  return taken
}

it('gives one caller a third of all, nothing past it, and again what came back', () => {
  const { budget, noted } = budgetOf(30)
  const one = budget.shareOf('a')
  expect([one.take(4), one.take(6), one.take(1)]).toEqual([null, null, 'own'])
  expect(budget.held).toBe(10)
  one.give(4)
  expect([one.take(5), one.take(4), budget.held]).toEqual(['own', null, 10])
  expect(noted.refused).toBe(2)
})

it('counts all requests of one caller together', () => {
  const { budget } = budgetOf(30)
  const [first, second] = [budget.shareOf('a'), budget.shareOf('a')]
  expect([first.take(6), second.take(4), second.take(1)]).toEqual([null, null, 'own'])
  first.give(6)
  expect([second.take(6), budget.held]).toEqual([null, 10])
})

describe('others', () => {
  test('are not refused for a caller that takes all it can', () => {
    const { budget } = budgetOf(1_000)
    expect(fill(budget.shareOf('greedy'))).toBe(333)
    expect(budget.shareOf('other').take(200)).toBeNull()
    expect(budget.shareOf('third').take(100)).toBeNull()
  })

  test.each([2, 4, 25])('find room however many take all they can: %d', (count) => {
    const { budget } = budgetOf(100_000)
    const greedy = Array.from({ length: count }, (_, n) => budget.shareOf(`g${n}`))
    // In turns, and over again: what the first took while they were alone must not be what others lack.
    for (const share of greedy) fill(share)
    for (const share of greedy) fill(share)
    expect(100_000 - budget.held).toBeGreaterThanOrEqual(Math.floor(100_000 * (2 / 3) ** count))
    expect(budget.held).toBeLessThan(100_000)
  })

  test('are told that it is not their own doing', () => {
    const { budget } = budgetOf(90)
    expect([budget.shareOf('a').take(30), budget.shareOf('b').take(15), budget.shareOf('c').take(20)]).toEqual([
      null,
      null,
      'all',
    ])
  })
})

it('holds nothing and nobody once all is given back', () => {
  const { budget } = budgetOf(45)
  const shares = ['a', 'b'].map((owner) => budget.shareOf(owner))
  for (const share of shares) share.take(7)
  for (const share of shares) share.give(7)
  expect(budget.held).toBe(0)
  expect(budget.shareOf('a').take(15)).toBeNull()
})
