import { describe, expect, it } from 'vitest'
import { Breaker } from '../../../src/hosts/breaker.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const ejectMs = 15_000
const proofMs = 30_000
type Failure = 'lost' | 'failed'

function breakerOf({ chance = 0.5, ejectedTimes = 0 } = {}) {
  const clock = new FakeClock()
  const breaker = new Breaker({ ejectMs, proofMs }, clock, () => chance)
  const fail = (kind: Failure, times: number) => Array.from({ length: times }, () => breaker.failed(kind)).at(-1)
  /** Ejected, and returned, so many times in a row. */
  for (let i = 0; i < ejectedTimes; i++) {
    fail('lost', 3)
    clock.advanceSync(breaker.openForMs)
  }
  return { clock, breaker, fail }
}

describe('what ejects', () => {
  it.each<[Failure, number]>([
    ['lost', 3],
    ['failed', 5],
  ])('%s: %d in a row and not one less', (kind, times) => {
    const { breaker, fail } = breakerOf()
    expect([fail(kind, times - 1), breaker.open, breaker.returnedAtMs]).toEqual([false, false, null])
    expect([fail(kind, 1), breaker.open]).toEqual([true, true])
  })

  it('a success between them ends both rows', () => {
    const { breaker, fail } = breakerOf()
    fail('lost', 2)
    fail('failed', 4)
    breaker.succeeded(false)
    fail('lost', 2)
    fail('failed', 4)
    expect(breaker.open).toBe(false)
    expect(fail('failed', 1)).toBe(true)
  })

  it('a failure of the other sort ends no row', () => {
    const { fail } = breakerOf()
    fail('lost', 2)
    fail('failed', 4)
    expect(fail('lost', 1)).toBe(true)
  })
})

describe('how long', () => {
  it.each([
    [0, 12_000],
    [0.5, 15_000],
    [1, 18_000],
  ])('15 s, give or take a fifth by chance (%d): %d ms and not one less', (chance, ms) => {
    const { breaker, clock, fail } = breakerOf({ chance })
    fail('lost', 3)
    expect(breaker.openForMs).toBe(ms)
    clock.advanceSync(ms - 1)
    expect([breaker.open, breaker.returnedAtMs]).toEqual([true, null])
    clock.advanceSync(1)
    expect([breaker.open, breaker.returnedAtMs]).toEqual([false, clock.now()])
  })

  it('the n-th in a row n times as long, never above 120 s', () => {
    const { breaker, clock, fail } = breakerOf()
    const times: number[] = []
    for (let i = 0; i < 9; i++) {
      fail('lost', 3)
      times.push(breaker.openForMs / 1_000)
      clock.advanceSync(breaker.openForMs)
    }
    expect(times).toEqual([15, 30, 45, 60, 75, 90, 105, 120, 120])
    const spread = breakerOf({ chance: 1, ejectedTimes: 7 })
    spread.fail('lost', 1)
    expect(spread.breaker.openForMs).toBe(120_000)
  })

  it('failures while it lasts change nothing', () => {
    const { breaker, clock, fail } = breakerOf()
    fail('lost', 3)
    clock.advanceSync(10_000)
    expect(fail('lost', 10)).toBe(false)
    expect(breaker.openForMs).toBe(5_000)
  })

  it('a success from before changes nothing; of a request let through to see, it ends the ejection', () => {
    const { breaker, clock, fail } = breakerOf()
    fail('lost', 3)
    clock.advanceSync(10_000)
    breaker.succeeded(false)
    expect(breaker.openForMs).toBe(5_000)
    breaker.succeeded(true)
    expect([breaker.open, breaker.returnedAtMs]).toEqual([false, clock.now()])
    expect(fail('lost', 2)).toBe(false)
    expect(fail('lost', 1)).toBe(true)
  })
})

describe('after the return', () => {
  it.each<Failure>(['lost', 'failed'])('the next failure (%s) ejects again, twice as long', (kind) => {
    const { breaker, fail } = breakerOf({ ejectedTimes: 1 })
    expect(fail(kind, 1)).toBe(true)
    expect(breaker.openForMs).toBe(30_000)
  })

  it('a success first, and it takes the whole row again; the count is kept until the slow start is over', () => {
    const { breaker, clock, fail } = breakerOf({ ejectedTimes: 1 })
    breaker.succeeded(false)
    clock.advanceSync(proofMs - 1)
    expect(fail('lost', 2)).toBe(false)
    expect(fail('lost', 1)).toBe(true)
    expect(breaker.openForMs).toBe(30_000)
  })

  it('a slow start that went well makes the next ejection a first one', () => {
    const { breaker, clock, fail } = breakerOf({ ejectedTimes: 3 })
    breaker.succeeded(false)
    clock.advanceSync(proofMs)
    fail('lost', 3)
    expect(breaker.openForMs).toBe(15_000)
  })

  it('a slow start without a success proves nothing', () => {
    const { breaker, clock, fail } = breakerOf({ ejectedTimes: 1 })
    clock.advanceSync(10 * proofMs)
    expect(fail('failed', 1)).toBe(true)
    expect(breaker.openForMs).toBe(30_000)
  })
})
