/** What hosts say of their load: hints that fade, never truth. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostSignals, type SaidSignals } from '../../../src/hosts/signals.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const everyMs = 5_000

function told(said: SaidSignals, own = 0) {
  const clock = new FakeClock()
  const signals = new HostSignals(clock)
  signals.told(said, { own, askedAtMs: clock.now(), everyMs })
  return { clock, signals }
}

describe('requests of others', () => {
  it('are those that the host tells of beyond ours, whether they run or wait there', () => {
    expect(told({ running: 5 }, 2).signals.foreignRunning).toBe(3)
    expect(told({ running: 2, queued: 4 }, 3).signals.foreignRunning).toBe(3)
    expect(told({ queued: 4 }, 1).signals.foreignRunning).toBe(3)
  })

  it('are never fewer than none: a host that tells of less than we gave it is no idler for that', () => {
    expect(told({ running: 0, queued: 0 }, 6).signals.foreignRunning).toBe(0)
  })

  it('count in full until the next word is overdue, then half as much for each interval, and in the end nothing', async () => {
    const { clock, signals } = told({ running: 8 })
    const at = async (ms: number): Promise<number> => {
      await clock.advance(ms)
      return signals.foreignRunning
    }
    expect([await at(0), await at(5_000), await at(2_500)]).toEqual([8, 8, 8])
    expect(await at(5_000)).toBeCloseTo(4)
    expect([await at(2_500), await at(1)]).toEqual([8 * 0.5 ** 1.5, 0])
  })

  it('are what the last word says; one that says nothing leaves the last', async () => {
    const { clock, signals } = told({ running: 8 })
    await clock.advance(1_000)
    signals.told({}, { own: 0, askedAtMs: clock.now(), everyMs })
    expect([signals.foreignRunning, signals.telemetry?.ageMs]).toEqual([8, 1_000])
    signals.told({ running: 1 }, { own: 0, askedAtMs: clock.now(), everyMs })
    expect([signals.foreignRunning, signals.telemetry?.ageMs]).toEqual([1, 0])
    signals.forget()
    expect([signals.foreignRunning, signals.telemetry]).toEqual([0, null])
  })

  it('whatever a host says are a number from 0 on that never grows by time', async () => {
    const odd = fc.oneof(fc.double(), fc.integer(), fc.constant(undefined))
    const step = fc.record({ running: odd, queued: odd, memoryUsedRatio: odd, own: fc.nat(50), waitMs: fc.nat(20_000) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
        const clock = new FakeClock()
        const signals = new HostSignals(clock)
        for (const { own, waitMs, ...said } of steps) {
          signals.told(said, { own, askedAtMs: clock.now(), everyMs })
          const before = signals.foreignRunning
          await clock.advance(waitMs)
          expect(signals.foreignRunning).toBeGreaterThanOrEqual(0)
          expect(signals.foreignRunning).toBeLessThanOrEqual(before)
          const ratio = signals.telemetry?.memoryUsedRatio ?? 0
          expect(ratio >= 0 && ratio <= 1).toBe(true)
        }
      }),
    )
  })
})

describe('what is shown', () => {
  it('is what was said with its age, and null for what was not', async () => {
    const { clock, signals } = told({ memoryUsedRatio: 0.5, queued: 2 })
    await clock.advance(60_000)
    const shown = { ageMs: 60_000, memoryUsedRatio: 0.5, cacheUsedRatio: null, queued: 2 }
    expect(signals.telemetry).toEqual(shown)
  })

  it('is nothing where a host says nothing that can be', () => {
    expect(told({}).signals.telemetry).toBeNull()
    expect(
      told({ running: -1, queued: Number.NaN, memoryUsedRatio: 1.2, cacheUsedRatio: -0.1 }).signals.telemetry,
    ).toBeNull()
  })
})
