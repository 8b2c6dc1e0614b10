import { describe, expect, test } from 'vitest'
import { usageRange } from '../../../src/metering/usage-range.ts'

const nowMs = Date.parse('2026-11-26T12:00:00Z')

function range(from: string | null, to: string | null = null, timeZone = 'UTC') {
  const { fromMs, toMs } = usageRange({ from, to }, { timeZone, nowMs })
  return [fromMs, toMs].map((at) => (at === null ? null : new Date(at).toISOString().replace(':00.000Z', '')))
}

describe('the time that a question about usage is about', () => {
  test.each<[string | null, string | null, string, (string | null)[]]>([
    [null, null, 'UTC', ['2026-11-01T00:00', null]],
    [null, null, 'Europe/Berlin', ['2026-10-31T23:00', null]],
    ['today', null, 'UTC', ['2026-11-26T00:00', null]],
    ['today', null, 'Asia/Tokyo', ['2026-11-25T15:00', null]],
    ['today', null, 'Pacific/Kiritimati', ['2026-11-26T10:00', null]],
    ['yesterday', 'yesterday', 'UTC', ['2026-11-25T00:00', '2026-11-26T00:00']],
    ['30d', 'today', 'UTC', ['2026-10-27T00:00', '2026-11-27T00:00']],
    ['2026-11-01', '2026-11-30', 'UTC', ['2026-11-01T00:00', '2026-12-01T00:00']],
    ['2026-11-01T12:30:00Z', '2026-11-01T15:00+01:00', 'UTC', ['2026-11-01T12:30', '2026-11-01T14:00']],
    // Days of 23 and of 25 hours.
    ['2026-03-29', '2026-03-29', 'Europe/Berlin', ['2026-03-28T23:00', '2026-03-29T22:00']],
    ['2026-10-25', '2026-10-25', 'Europe/Berlin', ['2026-10-24T22:00', '2026-10-25T23:00']],
    // A day that has no midnight: the clocks went from 00:00 to 01:00.
    ['2023-03-26', '2023-03-26', 'Asia/Beirut', ['2023-03-25T22:00', '2023-03-26T21:00']],
  ])('%s to %s in %s', (from, to, timeZone, expected) => {
    expect(range(from, to, timeZone)).toEqual(expected)
  })

  test.each<[string, string | null, string]>([
    ['2026-13-01', null, 'from'],
    ['2026-02-30', null, 'from'],
    ['last week', null, 'from'],
    ['2026-11-01T12:00:00', null, 'from'],
    ['', null, 'from'],
    ['today', 'noon', 'to'],
    ['today', 'yesterday', 'to'],
  ])('%s to %s is refused, with the one that is wrong', (from, to, param) => {
    expect(() => range(from, to)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        detail: { param },
        message: expect.stringMatching(`^${param} `) as unknown,
      }),
    )
  })
})
