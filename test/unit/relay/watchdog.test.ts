import { beforeEach, describe, expect, test } from 'vitest'
import { Watchdog } from '../../../src/relay/watchdog.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

let clock: FakeClock
let watchdog: Watchdog
let expired: string[]

beforeEach(() => {
  clock = new FakeClock()
  watchdog = new Watchdog(clock)
  expired = []
})

const watch = (limitMs: number, name = 'a') => watchdog.set(limitMs, () => expired.push(name))

describe('Watchdog', () => {
  test('expires at its limit, not a moment before, and once', () => {
    watch(100)
    clock.advanceSync(99.9)
    expect(expired).toEqual([])
    clock.advanceSync(0.1)
    expect(expired).toEqual(['a'])
    clock.advanceSync(1_000)
    expect(expired).toEqual(['a'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('counts from the last time it was fed', () => {
    watch(100)
    clock.advanceSync(60)
    watchdog.feed()
    clock.advanceSync(60)
    watchdog.feed()
    clock.advanceSync(99)
    expect(expired).toEqual([])
    clock.advanceSync(1)
    expect(expired).toEqual(['a'])
  })

  test('has one timer however often it is fed', () => {
    watch(100)
    for (let time = 0; time < 1_000; time++) {
      clock.advanceSync(1)
      watchdog.feed()
      expect(clock.pendingTimers).toBe(1)
    }
    expect(expired).toEqual([])
  })

  test('a new deadline takes the place of the old one', () => {
    watch(100, 'old')
    clock.advanceSync(50)
    watch(100, 'new')
    clock.advanceSync(99)
    expect(expired).toEqual([])
    clock.advanceSync(1)
    expect(expired).toEqual(['new'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('a shorter one too', () => {
    watch(1_000, 'long')
    watch(10, 'short')
    clock.advanceSync(2_000)
    expect(expired).toEqual(['short'])
  })

  test('nothing happens once it is cleared, and it can be set again', () => {
    watch(100)
    watchdog.clear()
    watchdog.clear()
    watchdog.feed()
    expect(clock.pendingTimers).toBe(0)
    clock.advanceSync(1_000)
    expect(expired).toEqual([])
    watch(100, 'b')
    clock.advanceSync(100)
    expect(expired).toEqual(['b'])
  })

  test('may be set anew by what happens when it expires', () => {
    watchdog.set(100, () => watch(50, 'second'))
    clock.advanceSync(149)
    expect(expired).toEqual([])
    clock.advanceSync(1)
    expect(expired).toEqual(['second'])
  })

  test('may be cleared by what happens when it expires', () => {
    watchdog.set(100, () => watchdog.clear())
    clock.advanceSync(1_000)
    expect(clock.pendingTimers).toBe(0)
  })
})

/** A clock whose timers fire late: the loop was blocked, or the machine slept. */
class LateClock extends FakeClock {
  lostMs = 0
  /** What waits in the sockets is read within a turn. */
  read: () => void = () => {}

  override now(): number {
    return super.now() + this.lostMs
  }

  override afterTurn(callback: () => void) {
    super.after(0, () => this.read())
    return super.afterTurn(callback)
  }
}

describe('after time that was lost', () => {
  let late: LateClock

  beforeEach(() => {
    late = new LateClock()
    watchdog = new Watchdog(late)
  })

  test('what waits in the sockets is read before the deadline is over', () => {
    watch(100)
    late.lostMs += 5_000
    late.read = () => watchdog.feed()
    late.advanceSync(100)
    late.read = () => {}
    late.advanceSync(99)
    expect(expired).toEqual([])
    late.advanceSync(1)
    expect(expired).toEqual(['a'])
    expect(late.pendingTimers).toBe(0)
  })

  test('what comes in that turn may replace the deadline, or clear it', () => {
    watch(100)
    late.read = () => watch(50, 'next')
    late.advanceSync(100)
    late.read = () => watchdog.clear()
    late.advanceSync(50)
    expect(late.pendingTimers).toBe(0)
    expect(expired).toEqual([])
  })

  test('a sender that could not send either gets the time that was lost', () => {
    watch(100)
    late.lostMs += 40
    late.advanceSync(139)
    expect(expired).toEqual([])
    late.advanceSync(1)
    expect(expired).toEqual(['a'])
  })

  test('but the limit once more at the most, however much was lost and how often', () => {
    watch(100)
    late.lostMs += 90_000
    late.advanceSync(160)
    late.lostMs += 90_000
    late.advanceSync(39)
    expect(expired).toEqual([])
    late.advanceSync(1)
    expect(expired).toEqual(['a'])
  })

  test('and all of it again once it was fed', () => {
    watch(100)
    late.lostMs += 90_000
    late.advanceSync(150)
    watchdog.feed()
    late.lostMs += 90_000
    late.advanceSync(149)
    expect(expired).toEqual([])
    late.advanceSync(1)
    expect(expired).toEqual(['a'])
  })

  test('the few milliseconds by which every timer is late are no loss', () => {
    watch(100)
    late.lostMs += 25
    late.advanceSync(100)
    expect(expired).toEqual(['a'])
  })
})
