import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Allowance } from '../../../src/access/allowance.ts'

/** A team's allowance of 60,000 a minute, 1,000 a second, of which one client takes all it can get in small pieces. */
function shared({ floodCost = 100, floodEveryMs = 20 } = {}) {
  const allowance = new Allowance(60_000, { evens: true, shared: true }, 0)
  let nowMs = 0
  let flooded = 0
  const take = (cost: number, who: string): number => {
    if (allowance.fitsInMs(cost, who, nowMs) === 0) {
      allowance.take(cost, nowMs)
      allowance.admitted(cost, who, nowMs)
      return 0
    }
    const toldMs = allowance.comeBackInMs(cost, who, nowMs)
    allowance.missed(cost, who, nowMs)
    allowance.claim(cost, who, nowMs, toldMs)
    return toldMs
  }
  /** Lets time pass under the flood; returns what the flood got meanwhile. */
  const pass = (ms: number): number => {
    const before = flooded
    const endMs = nowMs + ms
    for (nowMs += floodEveryMs; nowMs < endMs; nowMs += floodEveryMs)
      if (take(floodCost, 'flood') === 0) flooded += floodCost
    nowMs = endMs
    return flooded - before
  }
  /** Asks, comes back as it is told, and so on; returns at which return it was admitted. */
  const comeUntilAdmitted = (cost: number, who: string, lateShare = 0): number => {
    for (let returns = 0; returns < 20; returns++) {
      const toldMs = take(cost, who)
      if (toldMs === 0) return returns
      pass(toldMs * (1 + lateShare))
    }
    return Number.POSITIVE_INFINITY
  }
  return { allowance, take, pass, comeUntilAdmitted, nowMs: () => nowMs }
}

describe('a large request against a flood of small ones', () => {
  it.each([8_000, 11_000, 15_000, 20_000, 70_000])('of %d tokens gets through at its second return', (cost) => {
    for (const late of [0, 0.1]) {
      const { pass, comeUntilAdmitted } = shared()
      pass(90_000)
      expect(comeUntilAdmitted(cost, 'large', late)).toBeLessThanOrEqual(2)
    }
  })

  it('would never without a claim', () => {
    const { allowance, pass } = shared()
    pass(90_000)
    let admitted = 0
    for (let i = 0; i < 200; i++) {
      pass(1_000)
      if (allowance.fitsInMs(8_000, 'large', (i + 91) * 1_000) === 0) admitted += 1
    }
    expect(admitted).toBe(0)
  })

  it('leaves the small ones three quarters while it waits', () => {
    const { take, pass } = shared()
    pass(90_000)
    pass(take(20_000, 'large'))
    const toldMs = take(20_000, 'large')
    expect(toldMs).toBeGreaterThan(3_000)
    const got = pass(toldMs)
    expect(got / toldMs).toBeGreaterThan(0.7)
    expect(got / toldMs).toBeLessThan(0.8)
  })

  it.each([
    [12_000, 0.98],
    // Before one that is larger than a whole minute's limit there must be a minute with nothing else.
    [70_000, 0.8],
  ])('of %d tokens, again and again, takes no more than about a quarter', (cost, allInAll) => {
    const { pass, take } = shared()
    pass(90_000)
    let large = 0
    let flood = 0
    let elapsedMs = 0
    while (elapsedMs < 2_400_000) {
      const toldMs = take(cost, 'large')
      if (toldMs === 0) large += cost
      // Clients come no earlier than they are told, and not at once after they were served.
      const pauseMs = Math.max(20, toldMs)
      flood += pass(pauseMs)
      elapsedMs += pauseMs
    }
    expect(large / (large + flood)).toBeGreaterThan(0.15)
    expect(large / (large + flood)).toBeLessThan(0.3)
    expect((large + flood) / elapsedMs).toBeGreaterThan(allInAll)
  })
})

describe('whoever claims and does not come', () => {
  it('costs the others nothing in the end, and may not claim again for two minutes, then four', () => {
    const { take, pass } = shared()
    pass(90_000)
    const claimed = (): boolean => {
      const toldMs = take(12_000, 'gone')
      return pass(toldMs) / toldMs < 0.85
    }
    expect(claimed()).toBe(true)
    const barredForMs: number[] = []
    for (const _ of [1, 2]) {
      let ms = 0
      for (; ms < 600_000; ms += 15_000) {
        pass(15_000)
        if (claimed()) break
      }
      barredForMs.push(ms)
    }
    expect(barredForMs[0]).toBeGreaterThan(60_000)
    expect(barredForMs[1]).toBeGreaterThan(barredForMs[0] ?? 0)
  })

  it('what was put aside is there for the small ones afterwards', () => {
    const { take, pass } = shared()
    pass(90_000)
    take(12_000, 'gone')
    expect(pass(60_000)).toBeGreaterThan(59_000)
  })
})

describe('whoever claims and then has little use for it', () => {
  /** How many of its claims in so many minutes keep the flood away. */
  const claimsOf = (neededShare: number): number => {
    const { allowance, take, pass, nowMs } = shared()
    pass(90_000)
    let admitted = 0
    for (const endMs = nowMs() + 1_800_000; nowMs() < endMs; ) {
      const toldMs = take(20_000, 'a')
      if (toldMs === 0) {
        admitted += 1
        allowance.give(20_000 * (1 - neededShare), nowMs(), nowMs())
        allowance.ended({ reserved: 20_000, needed: 20_000 * neededShare, heldMs: 100 }, 'a', nowMs())
      }
      pass(Math.max(100, toldMs))
    }
    return admitted
  }

  it('may claim less and less often', () => {
    expect(claimsOf(1)).toBeGreaterThan(15)
    expect(claimsOf(0.3)).toBeGreaterThan(15)
    expect(claimsOf(0.2)).toBeLessThan(6)
  })
})

it('asking early does not make the time longer that is told', () => {
  const { take, pass } = shared({ floodEveryMs: 10_000_000 })
  take(22_500, 'other')
  const toldMs = take(12_000, 'a')
  expect(toldMs).toBe(12_000)
  pass(2_000)
  expect(take(12_000, 'a')).toBe(10_000)
})

it('a small request of the one who claims does not use the claim up', () => {
  const { take, pass } = shared()
  pass(90_000)
  const toldMs = take(20_000, 'a')
  pass(toldMs)
  const thenMs = take(20_000, 'a')
  expect(thenMs).toBeGreaterThan(0)
  for (let i = 0; i < 50; i++) take(200, 'a')
  pass(thenMs)
  expect(take(20_000, 'a')).toBe(0)
})

it('a limit that changes begins without a claim', () => {
  const fits = [true, false].map((claims) => {
    const allowance = new Allowance(60_000, { evens: true, shared: true }, 0)
    allowance.take(22_500, 0)
    if (claims) allowance.claim(14_000, 'a', 0, 14_000)
    allowance.setLimit(120_000, 0)
    return allowance.fitsInMs(20_000, 'b', 5_000)
  })
  expect(fits).toEqual([5_000, 5_000])
})

it('beside a claim the size of small requests does not matter', () => {
  const { allowance, take } = shared()
  take(20_000, 'other')
  take(12_000, 'a')
  const fits = [1, 500, 5_250, 5_400].map((cost) => allowance.fitsInMs(cost, 'b', 0))
  expect(fits).toEqual([7_000, 7_000, 7_000, 7_200])
})

it('the time until a cost fits is exact beside a claim too', () => {
  fc.assert(
    fc.property(
      fc.record({ level: fc.integer({ min: -90_000, max: 22_500 }), cost: fc.integer({ min: 7_600, max: 70_000 }) }),
      fc.nat(80_000),
      fc.integer({ min: 1, max: 20_000 }),
      fc.record({ runsOver: fc.nat(15_000), wasted: fc.oneof(fc.constant(0), fc.nat(40_000)) }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      ({ level, cost: claimed }, laterMs, cost, { runsOver, wasted }, share) => {
        const allowance = new Allowance(60_000, { evens: true, shared: true }, 0)
        for (let left = 22_500 - level; left > 0; left -= 20_000) allowance.take(Math.min(left, 20_000), 0)
        const toldMs = allowance.comeBackInMs(claimed, 'other', 0)
        if (toldMs > 0) allowance.claim(claimed, 'other', 0, toldMs)
        // The others were quicker, so it comes back once more.
        allowance.take(1_000, toldMs)
        const againMs = allowance.comeBackInMs(claimed, 'other', toldMs)
        if (toldMs > 0 && againMs > 0) allowance.claim(claimed, 'other', toldMs, againMs)
        const askMs = toldMs + laterMs
        allowance.take(runsOver, askMs)
        allowance.ended({ reserved: wasted, needed: 0, heldMs: 60_000 }, 'a', askMs)
        const fitsInMs = allowance.fitsInMs(cost, 'a', askMs)
        expect(fitsInMs).toBeLessThan(400_000)
        const meanwhileMs = Math.floor(Math.max(0, fitsInMs - 1) * share)
        expect(allowance.fitsInMs(cost, 'a', askMs + meanwhileMs)).toBe(fitsInMs - meanwhileMs)
        if (fitsInMs > 0) expect(allowance.fitsInMs(cost, 'a', askMs + fitsInMs - 1)).toBe(1)
        expect(allowance.fitsInMs(cost, 'a', askMs + fitsInMs)).toBe(0)
      },
    ),
    {
      numRuns: 500,
      // Room in the minute comes after what is put aside is due; or when there is none beside it any more.
      examples: [
        [{ level: -26_353, cost: 7_610 }, 0, 1, { runsOver: 14_537, wasted: 0 }, 0],
        [{ level: -22_501, cost: 65_282 }, 0, 5, { runsOver: 5_714, wasted: 0 }, 0],
        [{ level: -27_180, cost: 8_830 }, 0, 14_491, { runsOver: 6_830, wasted: 0 }, 0],
      ],
    },
  )
})
