/** Whatever waits for its key's limits, in whatever order it comes and goes. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RequestClass } from '../../../src/base/request-class.ts'
import { keyOf } from './limiter-parts.ts'
import { type Entered, ownLinesOf } from './own-line-parts.ts'

const tokensPerMinute = 6_000
const windowMs = 60_000

type Step =
  | { readonly kind: 'enter'; readonly tokens: number; readonly class: RequestClass; readonly patienceMs: number }
  | { readonly kind: 'leave'; readonly which: number }
  | { readonly kind: 'pass'; readonly ms: number }

const step = fc.oneof(
  { weight: 4, arbitrary: enterStep() },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), which: fc.nat(1_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(8_000) }) },
)

function enterStep() {
  return fc.record({
    kind: fc.constant('enter' as const),
    tokens: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 4_000 })),
    class: fc.constantFrom<RequestClass>('interactive', 'default', 'bulk'),
    patienceMs: fc.integer({ min: 1, max: 90_000 }),
  })
}

interface Seen extends Entered {
  readonly tokens: number
  readonly class: RequestClass
  readonly patienceMs: number
  readonly enteredAtMs: number
  left: boolean
}

function played(steps: readonly Step[]) {
  const { clock, enter, limiter } = ownLinesOf()
  const key = keyOf({ tokensPerMinute, concurrentRequests: 50 })
  const seen: Seen[] = []
  for (const one of steps) {
    if (one.kind === 'pass') clock.advanceSync(one.ms)
    else if (one.kind === 'enter')
      seen.push(Object.assign(enter(key, one.tokens, one), { ...one, enteredAtMs: clock.now(), left: false }))
    else {
      const waiting = seen.filter(({ waitedMs, left }) => waitedMs === null && !left)
      const leaving = waiting[one.which % Math.max(1, waiting.length)]
      leaving?.leave()
      if (leaving !== undefined) leaving.left = true
    }
  }
  clock.advanceSync(100_000)
  return { seen, clock, limiter, key }
}

const admittedAtMs = ({ enteredAtMs, waitedMs }: Seen) => enteredAtMs + (waitedMs ?? 0)

function mostInAMinute(admitted: readonly Seen[]): number {
  const charged = (fromMs: number) =>
    admitted
      .filter((one) => admittedAtMs(one) >= fromMs && admittedAtMs(one) < fromMs + windowMs)
      .reduce((sum, { tokens }) => sum + tokens, 0)
  return Math.max(0, ...admitted.map((one) => charged(admittedAtMs(one))))
}

test('nobody is lost or waits beyond its patience, and no minute is charged more than 1.2 of the limit', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), (steps) => {
      const { seen, clock, limiter, key } = played(steps)
      expect(clock.pendingTimers).toBe(0)
      for (const one of seen) {
        expect([one.reservation !== null, one.error !== null, one.left].filter(Boolean)).toHaveLength(1)
        expect(one.waitedMs ?? 0).toBeLessThanOrEqual(one.patienceMs)
      }
      const admitted = seen.filter(({ reservation }) => reservation !== null)
      expect(mostInAMinute(admitted)).toBeLessThanOrEqual(1.2 * tokensPerMinute)
      // No place among the requests at once is left taken by one that waited.
      expect(limiter.placesOf(key).full() === null).toBe(admitted.length < 50)
    }),
  )
})

test('of one class nobody is admitted before one that came earlier, and waits still', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), (steps) => {
      const { seen } = played(steps)
      for (const [i, early] of seen.entries()) {
        if (early.reservation === null) continue
        for (const late of seen.slice(i + 1)) {
          if (late.reservation === null || late.class !== early.class) continue
          expect(admittedAtMs(late)).toBeGreaterThanOrEqual(admittedAtMs(early))
        }
      }
    }),
  )
})

test('who is told a time behind others of one size is admitted at that very time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 750, max: 2_250 }), fc.integer({ min: 1, max: 10 }), (tokens, many) => {
      const { clock, enter } = ownLinesOf()
      const key = keyOf({ tokensPerMinute })
      enter(key, 2_250)
      for (let i = 0; i < many; i++) enter(key, tokens, { patienceMs: 1_000_000 })
      const toldMs = enter(key, tokens, { patienceMs: 1 }).error?.retryAfterMs ?? 0
      const last = enter(key, tokens, { patienceMs: 1_000_000 })
      clock.advanceSync(1_000_000)
      if (toldMs < 60_000) expect(Math.abs((last.waitedMs ?? 0) - toldMs)).toBeLessThanOrEqual(many + 1)
      else expect(last.waitedMs).toBeGreaterThanOrEqual(60_000)
    }),
  )
})
