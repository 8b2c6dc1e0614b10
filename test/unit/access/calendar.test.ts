import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Calendar, periodKinds } from '../../../src/access/calendar.ts'

const hourMs = 3_600_000
const at = (text: string) => Date.parse(text)

describe('G16: days and months of a time zone', () => {
  it.each([
    ['UTC', '2026-03-29T12:00Z', '2026-03-29', '2026-03-29T00:00Z', '2026-03-30T00:00Z'],
    ['Europe/Berlin', '2026-03-29T12:00Z', '2026-03-29', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
    ['Europe/Berlin', '2026-10-25T12:00Z', '2026-10-25', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
    ['America/New_York', '2026-03-08T12:00Z', '2026-03-08', '2026-03-08T05:00Z', '2026-03-09T04:00Z'],
    // Half an hour of daylight saving, and zones that are not whole hours apart.
    ['Australia/Lord_Howe', '2026-04-04T20:00Z', '2026-04-05', '2026-04-04T13:00Z', '2026-04-05T13:30Z'],
    ['Asia/Kathmandu', '2026-01-01T00:00Z', '2026-01-01', '2025-12-31T18:15Z', '2026-01-01T18:15Z'],
    // The clocks go on at midnight: the day begins at one.
    ['America/Santiago', '2026-09-06T12:00Z', '2026-09-06', '2026-09-06T04:00Z', '2026-09-07T03:00Z'],
    // A day that never was: Friday, 30 December 2011.
    ['Pacific/Apia', '2011-12-31T05:00Z', '2011-12-31', '2011-12-30T10:00Z', '2011-12-31T10:00Z'],
  ])('G16: %s at %s is %s', (zone, time, label, starts, ends) => {
    const day = new Calendar(zone).period('day', at(time))
    expect(day).toEqual({ label, startsMs: at(starts), endsMs: at(ends) })
  })

  it('G16: months begin and end where their days do', () => {
    const calendar = new Calendar('Europe/Berlin')
    expect(calendar.period('month', at('2026-03-10T00:00Z'))).toEqual({
      label: '2026-03',
      startsMs: at('2026-02-28T23:00Z'),
      endsMs: at('2026-03-31T22:00Z'),
    })
    expect(calendar.period('month', at('2026-12-31T23:00Z')).label).toBe('2027-01')
  })

  it('G16: every instant is in a period that holds it, and the next one begins where it ends', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/Santiago', 'Asia/Kathmandu', 'Australia/Lord_Howe')
    const instant = fc.integer({ min: at('2024-01-01T00:00Z'), max: at('2030-01-01T00:00Z') })
    fc.assert(
      fc.property(zones, instant, (zone, wallMs) => {
        const calendar = new Calendar(zone)
        for (const kind of periodKinds) {
          const period = calendar.period(kind, wallMs)
          expect(period.startsMs).toBeLessThanOrEqual(wallMs)
          expect(period.endsMs).toBeGreaterThan(wallMs)
          expect(calendar.period(kind, period.startsMs)).toEqual(period)
          expect(calendar.period(kind, period.endsMs - 1)).toEqual(period)
          expect(calendar.period(kind, period.endsMs)).toMatchObject({ startsMs: period.endsMs })
          const hours = (period.endsMs - period.startsMs) / hourMs
          if (kind === 'day') expect([23, 23.5, 24, 24.5, 25]).toContain(hours)
        }
      }),
      { numRuns: 60 },
    )
  })
})
