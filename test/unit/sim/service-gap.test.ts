/** The gap of service between keys that both wait, and Jain's index, by hand-made histories. */
import { describe, expect, it } from 'vitest'
import { jainIndex, ServiceGap } from '../../sim/service-gap.ts'

describe('the gap', () => {
  it('counts what was served while both had requests waiting, not before and not after', () => {
    const gap = new ServiceGap(2)
    gap.serve(0, 5_000)
    gap.observe(1_000)
    gap.waits(0, 1)
    gap.waits(1, 1)
    gap.serve(0, 300)
    gap.observe(2_000)
    gap.serve(1, 100)
    gap.observe(3_000)
    gap.waits(1, -1)
    gap.serve(0, 9_000)
    gap.observe(4_000)
    expect(gap.max).toBe(300)
  })

  it('is led by whoever was served more since both began to wait, whatever was before', () => {
    const gap = new ServiceGap(2)
    gap.serve(0, 5_000)
    gap.waits(0, 1)
    gap.waits(1, 1)
    gap.serve(0, 200)
    gap.observe(1_000)
    gap.serve(1, 500)
    gap.observe(2_000)
    expect(gap.leadMax).toBe(300)
  })

  it('is the largest of any time within, also where the first half evens out the second', () => {
    const gap = new ServiceGap(2)
    gap.waits(0, 1)
    gap.waits(1, 1)
    gap.serve(0, 200)
    gap.observe(1_000)
    gap.serve(1, 500)
    gap.observe(2_000)
    expect(gap.max).toBe(500)
  })

  it('is of any pair, and a request among others of its key changes nothing', () => {
    const gap = new ServiceGap(3)
    for (const key of [0, 1, 2]) gap.waits(key, 1)
    gap.waits(1, 1)
    gap.serve(2, 70)
    gap.waits(1, -1)
    gap.observe(1_000)
    expect(gap.max).toBe(70)
  })

  it('on average is weighed by the time for which it held', () => {
    const gap = new ServiceGap(2)
    gap.observe(500)
    gap.waits(0, 1)
    gap.waits(1, 1)
    gap.serve(0, 100)
    gap.observe(1_500)
    gap.serve(1, 100)
    gap.observe(4_500)
    // 100 for one second, then 0 for three.
    expect(gap.mean).toBe(25)
  })
})

describe("Jain's index", () => {
  it('is 1 where all have the same and one part of their number where one has everything', () => {
    expect(jainIndex([3, 3, 3])).toBeCloseTo(1, 12)
    expect(jainIndex([5, 0, 0, 0])).toBe(0.25)
    expect(jainIndex([0, 0])).toBe(1)
  })

  it('is taken of whole minutes, over those that waited through them', () => {
    const gap = new ServiceGap(3)
    gap.waits(0, 1)
    gap.waits(1, 1)
    gap.observe(30_000)
    gap.waits(2, 1)
    gap.serve(0, 100)
    gap.serve(2, 1_000)
    gap.observe(60_000)
    gap.serve(0, 10)
    gap.serve(1, 10)
    gap.serve(2, 10)
    gap.waits(1, -1)
    gap.waits(2, -1)
    gap.observe(120_000)
    expect(gap.jain).toEqual([0.5])
  })
})
