/** How the number of slots follows the speed of answers: on answers written here, and on hosts of a known form. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AdaptiveSlots, type AnswerSpeed } from '../../../src/hosts/adaptive-slots.ts'
import type { SlotRange } from '../../../src/hosts/slot-range.ts'

const slo = { timePerOutputTokenMsMax: 80, firstTokenMsMax: 5_000 }
const good: AnswerSpeed = { firstTokenMs: 500, timePerOutputTokenMs: 40 }
const slow: AnswerSpeed = { firstTokenMs: 500, timePerOutputTokenMs: 81 }
const late: AnswerSpeed = { firstTokenMs: 5_001, timePerOutputTokenMs: 40 }
const unseen: AnswerSpeed = { firstTokenMs: null, timePerOutputTokenMs: null }

function adaptive({ min = 1, max = 64, start = min }: Partial<SlotRange> = {}) {
  const slots = new AdaptiveSlots({ min, max, start }, slo)
  const told: string[] = []
  let nowMs = 0
  /** When those that run were granted their slots, the longest running first. */
  const running: number[] = []
  /** So many of those that run are given up by their clients. */
  const cancel = (times: number): void => void running.splice(0, times)
  /** Ends so many answers, one each second, each with every other slot taken and, unless said otherwise, somebody waiting. */
  const end = (times: number, speed: AnswerSpeed, { waiting = true } = {}): void => {
    for (let i = 0; i < times; i++) {
      while (running.length < slots.slots) running.push(nowMs)
      nowMs += 1_000
      if (waiting) slots.heldBack()
      const change = slots.answered(speed, { grantedAtMs: running.shift() ?? nowMs, nowMs })
      if (change !== null) told.push(`${change.direction} ${change.reason} ${slots.slots}`)
    }
  }
  return { slots, told, end, cancel }
}

describe('more slots', () => {
  test('half a slot for each ten good answers while somebody waits', () => {
    const { slots, told, end } = adaptive({ start: 2 })
    end(19, good)
    expect([slots.slots, told]).toEqual([2, []])
    end(1, good)
    expect([slots.slots, told]).toEqual([3, ['up room 3']])
    end(40, good)
    expect(slots.slots).toBe(5)
  })

  test('none while nobody waits, however many are good', () => {
    const { slots, end } = adaptive({ start: 2 })
    end(1_000, good, { waiting: false })
    expect(slots.slots).toBe(2)
  })

  test('one that waited counts for the next answer alone', () => {
    const { slots, end } = adaptive({ start: 2 })
    end(19, good)
    end(1_000, good, { waiting: false })
    expect(slots.slots).toBe(2)
    end(1, good)
    expect(slots.slots).toBe(3)
  })

  test('none for answers of which no time is known', () => {
    const { slots, end } = adaptive({ start: 2 })
    end(1_000, unseen)
    expect(slots.slots).toBe(2)
  })

  test('none beyond the maximum', () => {
    const { slots, end } = adaptive({ max: 3 })
    end(1_000, good)
    expect(slots.slots).toBe(3)
  })
})

describe('fewer slots', () => {
  test.each([
    ['the time per output token', slow, 'down tpot 8'],
    ['the time to the first token', late, 'down ttft 8'],
  ])('where %s is beyond what is wanted', (_title, speed, expected) => {
    const { told, end } = adaptive({ start: 10 })
    end(9, speed)
    expect(told).toEqual([])
    end(1, speed)
    expect(told).toEqual([expected])
  })

  test('also while nobody waits', () => {
    const { told, end } = adaptive({ start: 10 })
    end(10, slow, { waiting: false })
    expect(told).toEqual(['down tpot 8'])
  })

  test('one in ten may be slow, and three of ten may be so by chance', () => {
    const { slots, told, end } = adaptive({ start: 10, max: 10 })
    for (let i = 0; i < 50; i++) {
      end(1, slow)
      end(9, good)
    }
    expect(told).toEqual([])
    end(20, good)
    end(4, slow)
    expect(slots.slots).toBe(10)
    end(1, slow)
    expect(slots.slots).toBe(8)
  })

  test('answers from before a change are not judged: one bad time lowers once', () => {
    const { told, end } = adaptive({ start: 10 })
    // The nine others, which ran beside each other and are as slow, and as many as are too few to be judged.
    end(10 + 9, slow)
    end(9, slow)
    expect(told).toEqual(['down tpot 8'])
    end(1, slow)
    expect(told).toEqual(['down tpot 8', 'down tpot 6'])
  })

  test('those of before that are given up hold up nothing', () => {
    const { told, end, cancel } = adaptive({ start: 10 })
    end(10, slow)
    cancel(9)
    end(9, slow)
    expect(told).toEqual(['down tpot 8'])
    end(1, slow)
    expect(told).toEqual(['down tpot 8', 'down tpot 6'])
  })

  test('a number that was too high is tried again four times more slowly, and then grows on as before', () => {
    const { slots, told, end } = adaptive({ start: 10 })
    end(10, slow)
    expect(slots.slots).toBe(8)
    end(9, good)
    // 8.5 → 9 takes the ordinary way.
    end(10, good)
    expect(slots.slots).toBe(9)
    end(79, good)
    expect(slots.slots).toBe(9)
    end(1, good)
    expect(slots.slots).toBe(10)
    end(40 + 10, good)
    expect(slots.slots).toBe(11)
    expect(told).toEqual(['down tpot 8', 'up room 9', 'up room 10', 'up room 11'])
  })

  test('never below the minimum: a host whose single stream is too slow already keeps it', () => {
    const { slots, told, end } = adaptive({ min: 2 })
    end(1_000, slow)
    expect([slots.slots, told]).toEqual([2, []])
  })
})

describe('a busy answer', () => {
  test('leaves as many slots as there were requests beside the refused one, until they are raised', () => {
    const { slots, end } = adaptive({ start: 8 })
    expect(slots.busy(5, 0)).toEqual({ direction: 'down', reason: 'busy' })
    expect(slots.slots).toBe(4)
    end(1_000, good, { waiting: false })
    expect(slots.slots).toBe(4)
    end(84, good)
    expect(slots.slots).toBe(5)
  })

  test('never leaves more than before, nor less than the minimum', () => {
    const { slots } = adaptive({ min: 2, start: 4 })
    expect([slots.busy(9, 0), slots.slots]).toEqual([null, 4])
    expect([slots.busy(1, 0)?.direction, slots.slots]).toEqual(['down', 2])
    expect([slots.busy(1, 0), slots.slots]).toEqual([null, 2])
  })
})

describe('the range', () => {
  test('a range of one number keeps it', () => {
    const { slots, told, end } = adaptive({ min: 4, max: 4 })
    end(1_000, good)
    end(1_000, slow)
    expect([slots.busy(4, 0), slots.slots, told]).toEqual([null, 4, []])
  })

  test('other bounds hold at once; what was learnt stays where it is inside of them', () => {
    const { slots, end } = adaptive({ min: 2, max: 8 })
    end(80, good)
    expect(slots.slots).toBe(6)
    slots.keepTo({ min: 2, max: 8, start: 2 })
    expect(slots.slots).toBe(6)
    slots.keepTo({ min: 2, max: 5, start: 2 })
    expect(slots.slots).toBe(5)
  })

  test('another number to start with begins anew there', () => {
    const { slots, end } = adaptive({ min: 2, max: 8 })
    end(80, good)
    slots.keepTo({ min: 4, max: 8, start: 4 })
    expect(slots.slots).toBe(4)
  })

  test('whatever comes: inside of the bounds, up only after somebody waited, and told truly', () => {
    const speed = fc.record({
      firstTokenMs: fc.option(fc.integer({ min: 0, max: 10_000 })),
      timePerOutputTokenMs: fc.option(fc.integer({ min: 0, max: 160 })),
    })
    const event = fc.oneof(
      fc.record({
        kind: fc.constant('answered' as const),
        speed,
        times: fc.integer({ min: 1, max: 40 }),
        tookMs: fc.integer({ min: 0, max: 20 }),
      }),
      fc.record({ kind: fc.constant('busy' as const), leases: fc.integer({ min: 1, max: 80 }) }),
    )
    const bounds = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 70 }))
    fc.assert(
      fc.property(bounds, fc.boolean(), fc.array(event, { maxLength: 60 }), ([a, b], waiting, events) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)]
        const slots = new AdaptiveSlots({ min, max, start: min }, slo)
        let nowMs = 0
        for (const one of events) {
          for (let i = 0; i < (one.kind === 'busy' ? 1 : one.times); i++) {
            const before = slots.slots
            if (waiting) slots.heldBack()
            nowMs++
            const change =
              one.kind === 'busy'
                ? slots.busy(one.leases, nowMs)
                : slots.answered(one.speed, { grantedAtMs: nowMs - one.tookMs, nowMs })
            expect(slots.slots).toBeGreaterThanOrEqual(min)
            expect(slots.slots).toBeLessThanOrEqual(max)
            expect(change?.direction).toBe({ '0': undefined, '1': 'up', '-1': 'down' }[Math.sign(slots.slots - before)])
            if (change?.direction === 'up') expect(waiting && slots.slots - before === 1).toBe(true)
          }
        }
      }),
    )
  })
})

describe('on a host whose time per token is t1·(1 + β(n − 1)), always with somebody waiting', () => {
  const aloneMs = 20

  /** Numbers of slots over so many answers; each answer's time is that of the number it ran beside, ± 10 %. */
  function run(beta: number, start: number, answers: number): number[] {
    const slots = new AdaptiveSlots({ min: 1, max: 64, start }, slo)
    const running: { readonly grantedAtMs: number; readonly beside: number }[] = []
    const seen: number[] = []
    for (let i = 0; i < answers; i++) {
      while (running.length < slots.slots) running.push({ grantedAtMs: i, beside: slots.slots })
      const { grantedAtMs, beside } = running.shift()!
      const spread = 0.9 + 0.2 * ((i * 0.618_034) % 1)
      const timePerOutputTokenMs = aloneMs * (1 + beta * (beside - 1)) * spread
      slots.heldBack()
      slots.answered({ firstTokenMs: 500, timePerOutputTokenMs }, { grantedAtMs, nowMs: i + 1 })
      seen.push(slots.slots)
    }
    return seen
  }

  /** The largest number at which nine of ten answers are fast enough. */
  const knee = (beta: number): number => Math.floor(1 + (slo.timePerOutputTokenMsMax / 1.08 / aloneMs - 1) / beta)

  test.each([0.05, 0.28, 0.58])('β = %d: comes to the knee from below and from above, and stays near', (beta) => {
    for (const start of [1, 64]) {
      const settled = run(beta, start, 6_000).slice(2_000)
      const mean = settled.reduce((sum, n) => sum + n, 0) / settled.length
      expect(mean).toBeGreaterThan(0.7 * knee(beta))
      expect(mean).toBeLessThan(1.3 * knee(beta))
      // It looks one beyond the knee now and then, and comes back.
      expect(Math.max(...settled)).toBeLessThanOrEqual(1.1 * knee(beta) + 1)
      const beyond = settled.filter((n) => n > knee(beta) * 1.1).length
      expect(beyond / settled.length).toBeLessThan(0.35)
      const changes = settled.filter((n, i) => i > 0 && n !== settled[i - 1]).length
      expect(changes).toBeLessThan(settled.length / 20)
    }
  })
})
