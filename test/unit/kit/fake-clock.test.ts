import { expect, test } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'

test('stands still until it is moved', async () => {
  const clock = new FakeClock(500, 1_000_000)
  expect(clock.now()).toBe(500)
  await clock.advance(7.5)
  expect(clock.now()).toBe(507.5)
  expect(clock.wallMs()).toBe(1_000_007.5)
})

test('fires timers in the order of their times, equals in the order they were set', async () => {
  const clock = new FakeClock()
  const fired: string[] = []
  for (const [delayMs, name] of [
    [30, 'c'],
    [10, 'a'],
    [10, 'b'],
  ] as const)
    clock.after(delayMs, () => fired.push(`${name}@${clock.now()}`))
  await clock.advance(29)
  expect(fired).toEqual(['a@1010', 'b@1010'])
  await clock.advance(1)
  expect(fired).toEqual(['a@1010', 'b@1010', 'c@1030'])
})

test('a timer that is set on the way, by a promise, fires in the same advance', async () => {
  const clock = new FakeClock()
  const fired: number[] = []
  clock.after(10, () => {
    void Promise.resolve().then(() => clock.after(10, () => fired.push(clock.now())))
  })
  await clock.advance(25)
  expect(fired).toEqual([1_020])
  expect(clock.now()).toBe(1_025)
})

test('a cancelled timer never fires and no longer counts', () => {
  const clock = new FakeClock()
  const timer = clock.after(1, () => expect.unreachable())
  expect(clock.pendingTimers).toBe(1)
  timer.cancel()
  clock.advanceSync(10)
  expect(clock.pendingTimers).toBe(0)
})

test.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])(
  'refuses a delay of %s, which a real timer would cut short',
  (delayMs) => {
    expect(() => new FakeClock().after(delayMs, () => undefined)).toThrow(RangeError)
  },
)
