/** What may be used at once: 15 s worth of tokens in whatever pieces, of few requests all that a minute has. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Allowance, type Traits } from '../../../src/access/allowance.ts'
import { keyOf, limiterOf } from './limiter-parts.ts'

const tokens = { evens: true, shared: false }
const requests = { evens: false, shared: false }
const windowMs = 60_000

function allowanceOf(limit: number, traits: Traits) {
  const allowance = new Allowance(limit, traits, 0)
  /** The time until it fits; 0 when it was charged. */
  const ask = (cost: number, atMs: number): number => {
    const fitsInMs = allowance.fitsInMs(cost, 'a', atMs)
    if (fitsInMs === 0) allowance.take(cost, atMs)
    return fitsInMs
  }
  /** How often the same cost fits at one time. */
  const times = (cost: number, atMs: number): number => {
    for (let count = 0; count < 10_000; count++) if (ask(cost, atMs) > 0) return count
    return Number.POSITIVE_INFINITY
  }
  return { allowance, ask, times }
}

/** The most of any window of 60 s, each 1. */
function mostInAWindow(admittedAtMs: readonly number[]): number {
  let first = 0
  let most = 0
  for (const [last, atMs] of admittedAtMs.entries()) {
    while ((admittedAtMs[first] ?? atMs) <= atMs - windowMs) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}

describe('at once', () => {
  it.each([1, 10, 100, 500, 750])(
    'of 6,000 tokens a minute, 1,500 are used at once in pieces of %d, and one more',
    (cost) => {
      const { times, ask } = allowanceOf(6_000, tokens)
      expect(times(cost, 0)).toBe(1_500 / cost + 1)
      // Each piece comes as its price is refilled.
      expect(ask(cost, 0)).toBe(cost * 10)
    },
  )

  it('what is said to be left is admitted in whatever pieces, at any time, and is whole again when it is said', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(tokens, requests),
        fc.constantFrom(3, 7, 40, 1_000, 60_000),
        fc.array(fc.record({ gapMs: fc.nat(20_000), percent: fc.integer({ min: 1, max: 120 }) }), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 }),
        (traits, limit, before, pieces) => {
          const { allowance, ask } = allowanceOf(limit, traits)
          let atMs = 0
          for (const { gapMs, percent } of before) {
            atMs += gapMs
            ask(traits.evens ? Math.ceil((limit * percent) / 100) : 1, atMs)
          }
          let { remaining } = allowance.state(atMs, 'a')
          for (const percent of pieces) {
            if (remaining === 0) break
            const piece = Math.max(1, Math.floor((remaining * percent) / 100))
            expect(ask(piece, atMs)).toBe(0)
            expect(allowance.state(atMs, 'a').remaining).toBe((remaining -= piece))
          }
          // Of requests it is all that is left.
          if (!traits.evens) expect(ask(1, atMs) === 0).toBe(remaining > 0)
          const { resetMs, capacity } = allowance.state(atMs, 'a')
          if (resetMs > 0 && Number.isInteger(capacity))
            expect(allowance.state(atMs + resetMs - 1, 'a').remaining).toBeLessThan(capacity)
          expect(allowance.state(atMs + resetMs, 'a').remaining).toBe(Math.floor(capacity))
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('requests', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [9, 9],
    [10, 10],
    [20, 10],
    [40, 10],
    [60, 15],
  ])('of %d a minute, %d are let through at once', (limit, atOnce) => {
    const { allowance, times } = allowanceOf(limit, requests)
    expect(allowance.state(0, 'a')).toEqual({ remaining: atOnce, capacity: atOnce, resetMs: 0 })
    expect(times(1, 0)).toBe(atOnce)
  })

  it('of 3 a minute: three at once, each told what is left, and the next when the minute is over', () => {
    const { clock, limiter, admit, refuse } = limiterOf()
    const key = keyOf({ requestsPerMinute: 3 })
    const left = () => limiter.headers(key)['x-ratelimit-remaining-requests']
    expect(left()).toBe('3')
    for (const remaining of ['2', '1', '0']) {
      admit(key, 1)
      expect(left()).toBe(remaining)
    }
    expect(limiter.headers(key)['x-ratelimit-reset-requests']).toBe('1m0s')
    expect(refuse(key, 1).retryAfterMs).toBe(60_000)
    // The bucket has one again; but three have gone within this minute.
    clock.advanceSync(20_000)
    expect(left()).toBe('0')
    expect(refuse(key, 1).message).toContain('is 3 requests per minute, which are used up. It fits in 40 s.')
    clock.advanceSync(39_999)
    expect(refuse(key, 1).retryAfterMs).toBe(1)
    clock.advanceSync(1)
    expect(left()).toBe('3')
    admit(key, 1)
  })

  it('in no 60 s are more than 1.25 of the limit, in the long run the limit, whenever they come', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.oneof(fc.nat(100), fc.nat(5_000), fc.nat(90_000)), { minLength: 1, maxLength: 200 }),
        (limit, gaps) => {
          const { allowance, ask } = allowanceOf(limit, requests)
          const admittedAtMs: number[] = []
          let atMs = 0
          for (const gapMs of gaps) {
            atMs += gapMs
            const fitsInMs = ask(1, atMs)
            if (fitsInMs === 0) admittedAtMs.push(atMs)
            else {
              expect(allowance.fitsInMs(1, 'a', atMs + fitsInMs - 1)).toBe(1)
              // As a client that comes back when it is told.
              atMs += fitsInMs
              expect(ask(1, atMs)).toBe(0)
              admittedAtMs.push(atMs)
            }
          }
          expect(mostInAWindow(admittedAtMs)).toBeLessThanOrEqual(1.25 * limit)
          expect(admittedAtMs.length).toBeLessThanOrEqual((limit * atMs) / windowMs + Math.max(10, limit / 4))
        },
      ),
      { numRuns: 300 },
    )
  })
})
