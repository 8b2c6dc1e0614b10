import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Allowance } from '../../../src/access/allowance.ts'

const one = { evens: true, shared: false }
const windowMs = 60_000

/** Asks in the order of their times, each with a cost in per cent of the limit. */
const asks = (percentMax: number) =>
  fc.array(
    fc.record({ gapMs: fc.oneof(fc.nat(200), fc.nat(20_000)), percent: fc.integer({ min: 1, max: percentMax }) }),
    {
      minLength: 1,
      maxLength: 120,
    },
  )
const limits = fc.constantFrom(40, 100, 1_000, 60_000)

function allowanceOf(limit: number, traits = one) {
  const allowance = new Allowance(limit, traits, 0)
  const ask = (cost: number, atMs: number, who = 'a'): number => {
    const fitsInMs = allowance.fitsInMs(cost, who, atMs)
    if (fitsInMs > 0) return fitsInMs
    allowance.take(cost, atMs)
    allowance.admitted(cost, who, atMs)
    return 0
  }
  return { allowance, ask }
}

function worstWindow(charges: readonly { atMs: number; cost: number }[]): number {
  const sums = charges.map(({ atMs: endMs }) =>
    charges.reduce((sum, { atMs, cost }) => (atMs > endMs - windowMs && atMs <= endMs ? sum + cost : sum), 0),
  )
  return Math.max(0, ...sums)
}

describe('what any minute may be charged', () => {
  it('is 1.25 of the limit, whatever sizes up to 1.25 of it are asked for and whenever', () => {
    fc.assert(
      fc.property(limits, asks(125), (limit, list) => {
        const { allowance, ask } = allowanceOf(limit)
        const charges: { atMs: number; cost: number }[] = []
        let atMs = 0
        for (const { gapMs, percent } of list) {
          atMs += gapMs
          const cost = Math.max(1, Math.floor((limit * percent) / 100))
          if (ask(cost, atMs) === 0) charges.push({ atMs, cost })
          else allowance.claim(cost, 'a', atMs, 1_000)
        }
        expect(worstWindow(charges)).toBeLessThanOrEqual(1.25 * limit)
      }),
      { numRuns: 300 },
    )
  })

  it('is the limit and what may be used at once, in the long run the limit', () => {
    const { ask } = allowanceOf(6_000)
    const charges: { atMs: number; cost: number }[] = []
    for (let atMs = 0; atMs < 20 * windowMs; atMs += 20) if (ask(30, atMs) === 0) charges.push({ atMs, cost: 30 })
    const sum = charges.reduce((all, { cost }) => all + cost, 0)
    expect(sum).toBeGreaterThan(19.9 * 6_000)
    expect(sum).toBeLessThanOrEqual(20.25 * 6_000)
  })

  it('counts what runs over: a request that took more than was reserved keeps others away for longer', () => {
    const { allowance, ask } = allowanceOf(6_000)
    ask(100, 0)
    allowance.take(9_000, 1)
    expect(ask(10, 59_000)).toBeGreaterThan(0)
  })
})

describe('the time until a cost fits', () => {
  it('is exact: admitted then, and refused a millisecond before', () => {
    fc.assert(
      fc.property(limits, asks(300), fc.integer({ min: 1, max: 300 }), (limit, list, percent) => {
        const { allowance, ask } = allowanceOf(limit)
        let atMs = 0
        for (const { gapMs, percent: size } of list) {
          atMs += gapMs
          ask(Math.max(1, Math.floor((limit * size) / 100)), atMs)
        }
        const cost = Math.max(1, Math.floor((limit * percent) / 100))
        const fitsInMs = allowance.fitsInMs(cost, 'a', atMs)
        if (fitsInMs > 0) expect(allowance.fitsInMs(cost, 'a', atMs + fitsInMs - 1)).toBe(1)
        expect(allowance.fitsInMs(cost, 'a', atMs + fitsInMs)).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  it('is exact at any time of the day of a process, with its fractions', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e10, noNaN: true }), limits, (startMs, limit) => {
        const allowance = new Allowance(limit, one, startMs)
        allowance.take(limit, startMs)
        const fitsInMs = allowance.fitsInMs(7, 'a', startMs)
        expect(allowance.fitsInMs(7, 'a', startMs + fitsInMs - 1)).toBeGreaterThan(0)
        expect(allowance.fitsInMs(7, 'a', startMs + fitsInMs)).toBe(0)
      }),
    )
  })

  it('is not moved by asking: a client that hammers waits as long as one that waits', () => {
    fc.assert(
      fc.property(asks(125), fc.array(fc.nat(2_000), { maxLength: 30 }), (list, returns) => {
        const { allowance, ask } = allowanceOf(1_000)
        let atMs = 0
        for (const { gapMs, percent } of list) ask(percent * 10, (atMs += gapMs))
        const fitsAtMs = atMs + allowance.fitsInMs(100, 'a', atMs)
        for (const gapMs of returns) {
          atMs = Math.min(fitsAtMs, atMs + gapMs)
          expect(allowance.fitsInMs(100, 'a', atMs)).toBe(fitsAtMs - atMs)
        }
      }),
    )
  })
})

describe('sizes', () => {
  it('what is larger than the bucket goes alone on a full one, and its debt is paid before the next', () => {
    const { ask } = allowanceOf(6_000)
    expect(ask(1_500, 0)).toBe(0)
    expect(ask(4_500, 0)).toBe(15_000)
    expect(ask(4_500, 15_000)).toBe(0)
    // 2,250 of debt at 100 a second, and what it gives in 7.5 s for anything at all.
    expect(ask(1, 15_000)).toBe(22_500 + 7_500)
  })

  it('a debt of one request is paid in one window at most', () => {
    const { allowance, ask } = allowanceOf(6_000)
    const draw = allowance.draw(0)
    for (const cost of [100, 600_000, 600_000]) allowance.take(cost, 0, draw)
    // All of it was charged in the first 2.5 s.
    expect(ask(750, 0)).toBe(62_500)
    expect(ask(1_500, 0)).toBe(67_500)
  })

  it.each([2, 5, 40])('the debts of %d requests are all paid, whoever made the others', (requests) => {
    const { allowance, ask } = allowanceOf(6_000)
    // Each was admitted for next to nothing.
    const draws = Array.from({ length: requests }, () => allowance.draw(0))
    for (const draw of draws) allowance.take(1, 0, draw)
    for (const draw of draws) expect(allowance.take(6_000, 0, draw)).toBe(6_000)
    expect(ask(750, 0)).toBe((requests * 6_001 - 1_500) * 10)
  })

  it('what a request pays while it runs, it may owe again', () => {
    const { allowance } = allowanceOf(6_000)
    const draw = allowance.draw(0)
    expect(allowance.take(600_000, 0, draw)).toBe(7_500)
    expect(allowance.take(600_000, 10_000, draw)).toBe(1_000)
    expect(allowance.take(600_000, 10_000, draw)).toBe(0)
  })

  it('up to what is given in 7.5 s, the size does not matter', () => {
    const { allowance } = allowanceOf(6_000)
    allowance.take(2_150, 0)
    expect([1, 10, 750].map((cost) => allowance.fitsInMs(cost, 'a', 0))).toEqual([6_500, 6_500, 6_500])
    expect(allowance.fitsInMs(751, 'a', 0)).toBe(6_510)
  })

  it.each([1, 2, 3, 4, 5, 7, 60])('of %d requests a minute, each comes in its time', (limit) => {
    const { ask } = allowanceOf(limit, { evens: false, shared: false })
    let refused = 0
    for (let i = 0; i < 5 * limit; i++) if (ask(1, (i * windowMs) / limit) > 0) refused += 1
    expect(refused).toBe(0)
    expect(ask(0, 0)).toBe(0)
  })
})

describe('giving back', () => {
  it('leaves what charging the true use would have left', () => {
    fc.assert(
      fc.property(fc.nat(900), fc.nat(900), fc.nat(50_000), (reserved, used, tookMs) => {
        const real = allowanceOf(1_000).allowance
        const model = allowanceOf(1_000).allowance
        for (const allowance of [real, model]) allowance.take(250, 0)
        const taken = real.take(Math.max(reserved, used), 10)
        model.take(used, 10)
        real.give(taken - used, 10, 10 + tookMs)
        for (const cost of [1, 200, 250, 1_000, 1_250]) {
          expect(real.fitsInMs(cost, 'a', 10 + tookMs)).toBe(model.fitsInMs(cost, 'a', 10 + tookMs))
        }
      }),
    )
  })

  it('of a debt that was clamped, no more than was charged', () => {
    const { allowance } = allowanceOf(1_000)
    const taken = allowance.take(50_000, 0)
    expect(taken).toBe(1_250)
    allowance.give(taken - 1_000, 0, 0)
    // 625 of debt, and the cost.
    expect(allowance.fitsInMs(200, 'a', 0)).toBe(49_500)
  })

  it('never makes more than full, and nothing of what has left the window', () => {
    const { allowance } = allowanceOf(1_000)
    allowance.take(100, 0)
    allowance.give(100, 0, 200_000)
    expect(allowance.state(200_000, 'a')).toEqual({ remaining: 250, capacity: 250, resetMs: 0 })
    expect(allowance.isUntouched(200_000)).toBe(true)
  })
})

describe('a limit that changes', () => {
  it('holds at once, and what is used keeps its share', () => {
    const { allowance, ask } = allowanceOf(6_000)
    ask(750, 0)
    allowance.setLimit(600, 0)
    expect(allowance.state(0, 'a')).toEqual({ remaining: 75, capacity: 150, resetMs: 7_500 })
    allowance.setLimit(60_000, 0)
    expect(allowance.state(0, 'a')).toEqual({ remaining: 7_500, capacity: 15_000, resetMs: 7_500 })
  })

  it('a debt keeps the time it takes', () => {
    const { allowance, ask } = allowanceOf(6_000)
    ask(4_500, 0)
    const before = allowance.fitsInMs(6_000, 'a', 0)
    allowance.setLimit(600, 0)
    expect(allowance.fitsInMs(600, 'a', 0)).toBe(before)
  })
})
