/** When something is to be done about those who wait, by one timer. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines } from '../../../src/queue/deadlines.ts'
import type { Waiter } from '../../../src/queue/waiter.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

interface Entry {
  dueAtMs: number
  dueIndex: number
  readonly order: number
}

function world() {
  const clock = new FakeClock(0)
  const due: { order: number; atMs: number }[] = []
  const deadlines = new Deadlines(clock, ({ order }) => due.push({ order, atMs: clock.now() }))
  const entries = Array.from(
    { length: 12 },
    (_, order): Entry => ({
      order,
      dueAtMs: Number.POSITIVE_INFINITY,
      dueIndex: -1,
    }),
  )
  const waiterAt = (at: number): Waiter => entries[at] as unknown as Waiter
  return { clock, deadlines, due, waiterAt }
}

const step = fc.oneof(
  fc.record({ what: fc.constant('set' as const), at: fc.nat(11), inMs: fc.nat(30) }),
  fc.record({ what: fc.constant('clear' as const), at: fc.nat(11), inMs: fc.constant(0) }),
  fc.record({ what: fc.constant('wait' as const), at: fc.constant(0), inMs: fc.nat(10) }),
)

test('each comes at its time and not again, however they are set, moved and taken away, and the first of two at one time comes first', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { clock, deadlines, due, waiterAt } = world()
      const wanted = new Map<number, number>()
      const came: { order: number; atMs: number }[] = []
      const pass = (ms: number): void => {
        const endMs = clock.now() + ms
        clock.advanceSync(ms)
        const now = [...wanted].filter(([, atMs]) => atMs <= endMs)
        for (const [order] of now) wanted.delete(order)
        const inOrder = now.toSorted(([a, aMs], [b, bMs]) => aMs - bMs || a - b)
        came.push(...inOrder.map(([order, atMs]) => ({ order, atMs })))
        expect(due).toEqual(came)
      }
      for (const { what, at, inMs } of steps) {
        if (what === 'wait') pass(inMs)
        else if (what === 'clear') {
          deadlines.clear(waiterAt(at))
          wanted.delete(at)
        } else {
          deadlines.set(waiterAt(at), clock.now() + inMs)
          wanted.set(at, clock.now() + inMs)
        }
        expect(clock.pendingTimers).toBeLessThanOrEqual(1)
      }
      pass(100)
      expect(clock.pendingTimers).toBe(0)
    }),
  )
})

test('one whose deadline has come may have another one, and may take away that of somebody else', () => {
  const clock = new FakeClock(0)
  const entries = [0, 1].map((order) => ({ order, dueAtMs: Infinity, dueIndex: -1 }) as unknown as Waiter)
  const due: number[] = []
  const deadlines: Deadlines = new Deadlines(clock, (waiter) => {
    due.push(clock.now())
    if (due.length === 1) deadlines.set(waiter, 7)
    if (due.length === 1) deadlines.clear(entries[1]!)
  })
  deadlines.set(entries[0]!, 5)
  deadlines.set(entries[1]!, 5)
  clock.advanceSync(10)
  expect(due).toEqual([5, 7])
})
