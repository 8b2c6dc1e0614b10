/** What delays give away, and what they do not. */
import { describe, expect, test } from 'vitest'
import { boundByStub, bufferingIn, clientsWereLate, modesIn } from '../../bench/findings.ts'
import type { Arrivals, Delays } from '../../bench/load/load-order.ts'

const none: Delays = { count: 0, p50: 0, p90: 0, p99: 0, max: 0, tenths: [] }
const arrivals = (more: Partial<Arrivals>): Arrivals => ({
  tookMs: 1_000,
  tokens: 1_000,
  answers: 0,
  reads: 1_000,
  oneWay: none,
  gap: { ...none, p50: 10e6 },
  first: none,
  late: none,
  failures: {},
  ...more,
})

describe('events that somebody gathers', () => {
  const direct = arrivals({})
  test('come closer than they were sent, and several in a read', () => {
    expect(bufferingIn(arrivals({ gap: { ...none, p50: 0 }, reads: 250 }), direct)).toBe(
      'events came 0.00 ms apart and 4.0 in a read; direct, 10.00 ms and 1.0: somebody gathers them',
    )
  })

  test('a little less of one or the other is none', () => {
    expect(bufferingIn(direct, direct)).toBeNull()
    expect(bufferingIn(arrivals({ gap: { ...none, p50: 9.5e6 }, reads: 250 }), direct)).toBeNull()
    expect(bufferingIn(arrivals({ gap: { ...none, p50: 0 }, reads: 900 }), direct)).toBeNull()
  })
})

describe('peaks of delays', () => {
  const spread = (fill: (tenth: number) => number): Delays => {
    const tenths = Array.from({ length: 1_000 }, (_, tenth) => fill(tenth))
    return { ...none, tenths, count: tenths.reduce((sum, one) => sum + one, 0) }
  }
  const smooth = spread((tenth) => Math.ceil(1_000 / (tenth + 1)))
  const withPeak = (from: number, to: number, more: number) =>
    spread((tenth) => Math.ceil(1_000 / (tenth + 1)) + (tenth >= from && tenth < to ? more : 0))

  test('at the places that are known for a fault are told', () => {
    expect(modesIn(withPeak(10, 13, 800), smooth)).toEqual([expect.stringContaining('1.0 to 1.4 ms')])
    expect(modesIn(withPeak(400, 410, 100), smooth)).toEqual([expect.stringContaining('38 to 45 ms')])
  })

  test('a smooth spread has none, nor has what the host itself does as well, nor a peak elsewhere', () => {
    expect(modesIn(smooth, smooth)).toEqual([])
    expect(modesIn(withPeak(10, 13, 800), withPeak(10, 13, 800))).toEqual([])
    expect(modesIn(withPeak(100, 110, 800), smooth)).toEqual([])
  })
})

test('a ceiling near that of the stub is that of the stub', () => {
  expect(boundByStub(91, 100)).toBe(true)
  expect(boundByStub(89, 100)).toBe(false)
})

test('clients that were late by more than a tenth of what is measured say nothing', () => {
  expect(clientsWereLate(arrivals({ late: { ...none, p99: 11 }, first: { ...none, p99: 100 } }))).toBe(true)
  expect(clientsWereLate(arrivals({ late: { ...none, p99: 10 }, first: { ...none, p99: 100 } }))).toBe(false)
})
