import { describe, expect, it } from 'vitest'
import { randomHex, randomId } from '../../../src/base/ids.ts'

describe('a random id', () => {
  it('has the length that was asked for, of letters and digits, and is never made twice', () => {
    for (const length of [8, 22, 43, 1_000]) {
      // So many that the random characters are made anew several times on the way.
      const ids = Array.from({ length: 2_000 }, () => randomId(length))
      expect(ids.every((id) => new RegExp(`^[0-9A-Za-z]{${length}}$`).test(id))).toBe(true)
      expect(new Set(ids).size).toBe(ids.length)
    }
  })

  it('has each of its characters equally often', () => {
    const counts = new Map<string, number>()
    for (const char of Array.from({ length: 620 }, () => randomId(100)).join('')) {
      counts.set(char, (counts.get(char) ?? 0) + 1)
    }
    expect(counts.size).toBe(62)
    // 1,000 expected of each: seven standard deviations.
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(225)
  })

  it('in hex is of whole bytes, and never made twice', () => {
    const ids = Array.from({ length: 5_000 }, () => randomHex(8))
    expect(ids.every((id) => /^[0-9a-f]{16}$/.test(id))).toBe(true)
    expect(new Set(ids).size).toBe(ids.length)
  })
})
