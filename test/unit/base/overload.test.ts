import { beforeEach, describe, expect, test } from 'vitest'
import { overloadOptions } from '../../../src/base/options.ts'
import { Overload } from '../../../src/base/overload.ts'
import type { Pressure } from '../../../src/base/pressure.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const sampleMs = 500

let clock: FakeClock
let overload: Overload
let lagMs: number
/** Told once, as a collection is. */
let livePercent: number | null
let logged: string[]
let running: string[]

beforeEach(() => {
  clock = new FakeClock()
  lagMs = 0
  livePercent = null
  logged = []
  running = []
  overload = new Overload(overloadOptions.parse({}), {
    clock,
    log: (level, message, fields) => logged.push(`${level} ${String(fields?.['stage'])}: ${message}`),
    pressure: {
      start: () => running.push('start'),
      read(): Pressure {
        const pressure = { livePercent, lagMs }
        livePercent = null
        return pressure
      },
      stop: () => running.push('stop'),
    },
  })
  overload.start()
})

/** The stage after a collection that left so much alive. */
function stageAt(percent: number): string {
  livePercent = percent
  clock.advanceSync(sampleMs)
  return overload.stage
}

describe('by the live heap', () => {
  test('the stages begin at their limits and end 5 points lower', () => {
    expect([84.9, 85, 80, 79.9, 84.9, 89.9, 90, 85, 84.9, 80, 79.9].map(stageAt)).toEqual([
      'none',
      'tight',
      'tight',
      'none',
      'none',
      'tight',
      'shed',
      'shed',
      'tight',
      'tight',
      'none',
    ])
  })

  test('each change of stage is told once', () => {
    for (const percent of [86, 87, 95, 96, 10, 10]) stageAt(percent)
    expect(logged).toEqual([
      'warn tight: the gateway is short of memory: nobody new may wait',
      'warn shed: the gateway is overloaded: newcomers are refused',
      'info none: the gateway has room again',
    ])
  })

  test('a reading holds for ten seconds, and without a newer one the stage falls by one every ten seconds', () => {
    expect(stageAt(95)).toBe('shed')
    clock.advanceSync(9_500)
    expect(overload.stage).toBe('shed')
    clock.advanceSync(500)
    expect(overload.stage).toBe('tight')
    clock.advanceSync(9_500)
    expect(overload.stage).toBe('tight')
    clock.advanceSync(500)
    expect(overload.stage).toBe('none')
  })

  test('a newer reading counts at once', () => {
    stageAt(95)
    clock.advanceSync(10_000)
    expect(overload.stage).toBe('tight')
    expect(stageAt(95)).toBe('shed')
  })
})

describe('by the delay of the event loop', () => {
  test('only a delay that lasts counts, and it is over when its half has lasted as long', () => {
    lagMs = 200
    clock.advanceSync(5_000)
    expect(overload.stage).toBe('none')
    clock.advanceSync(500)
    expect(overload.stage).toBe('shed')
    lagMs = 100
    clock.advanceSync(20_000)
    expect(overload.stage).toBe('shed')
    lagMs = 99
    clock.advanceSync(5_000)
    expect(overload.stage).toBe('shed')
    clock.advanceSync(500)
    expect(overload.stage).toBe('none')
  })

  test('one long block is one sample', () => {
    lagMs = 90_000
    clock.advanceSync(500)
    lagMs = 0
    clock.advanceSync(500)
    lagMs = 90_000
    clock.advanceSync(4_500)
    lagMs = 0
    clock.advanceSync(60_000)
    expect(logged).toEqual([])
  })
})

describe('what follows', () => {
  test('tight: newcomers are taken, but nobody new may wait', () => {
    stageAt(86)
    expect(overload.refusal()).toBeNull()
    expect(overload.noWaiting()).toMatchObject({ code: 'overloaded', kind: { status: 503 } })
  })

  test('shed: neither', () => {
    stageAt(91)
    expect(overload.refusal()?.code).toBe('overloaded')
    expect(overload.noWaiting()?.code).toBe('overloaded')
  })

  test('nothing goes on when it was stopped', () => {
    clock.advanceSync(2_000)
    overload.stop()
    expect(clock.pendingTimers).toBe(0)
    expect(running).toEqual(['start', 'stop'])
  })
})
