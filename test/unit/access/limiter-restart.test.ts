import { describe, expect, it } from 'vitest'
import type { PastUse } from '../../../src/access/past-use.ts'
import { keyOf, limiterOf, startWallMs, used } from './limiter-parts.ts'

const row = (ageMs: number, input: number, more: Partial<PastUse> = {}): PastUse => ({
  keyId: 'AAAAAAAA',
  team: null,
  startedAtMs: startWallMs - ageMs,
  requests: 1,
  input,
  cachedInput: 0,
  output: 0,
  ...more,
})
const none = { minute: [], day: [], month: [] }

describe('after a restart', () => {
  it('G24: what was reserved and never settled is held by nothing', () => {
    const limits = { tokensPerMinute: 6_000, concurrentRequests: 1, tokensPerDay: 2_000 }
    const before = limiterOf()
    before.admit(keyOf(limits), 1_500)
    expect(before.refuse(keyOf(limits), 1_500).code).toBe('quota_exceeded')
    // The process is killed: all that is left of the request is its row, with no figures yet.
    const after = limiterOf()
    const past = [row(500, 0)]
    after.limiter.restore({ minute: past, day: past, month: past }, () => ({ name: 'a', limits }))
    expect(() => after.admit(keyOf(limits), 1_500)).not.toThrow()
  })

  it('G24: one that was running does not count as running', () => {
    const { limiter, admit } = limiterOf()
    const limits = { concurrentRequests: 1 }
    limiter.restore({ ...none, minute: [row(10, 100)] }, () => ({ name: 'a', limits }))
    expect(() => admit(keyOf(limits), 1)).not.toThrow()
  })

  it('the last minute counts at its times, as if there had been no restart', () => {
    const limits = { tokensPerMinute: 6_000 }
    const running = limiterOf()
    const past: PastUse[] = []
    for (const [gapMs, input] of [
      [5_000, 900],
      [12_000, 1_400],
      [20_000, 700],
      [3_000, 600],
    ] as const) {
      running.clock.advanceSync(gapMs)
      const key = keyOf(limits)
      const startedAtMs = running.clock.wallMs()
      running.admit(key, input).settle(used(input, 0))
      past.push(row(0, input, { startedAtMs }))
    }
    const wallMs = running.clock.wallMs()
    const restarted = limiterOf({}, {}, wallMs)
    restarted.limiter.restore({ ...none, minute: past.toReversed() }, () => ({ name: 'a', limits }))
    const fits = [1, 800, 1_500, 7_000].map((cost) => {
      const [a, b] = [running, restarted].map(({ ask }) => {
        const answer = ask(keyOf(limits), cost)
        return 'code' in answer ? answer.retryAfterMs : 0
      })
      return [a, b]
    })
    for (const [a, b] of fits) expect(b).toBe(a)
    expect(fits.some(([a]) => (a ?? 0) > 0)).toBe(true)
  })

  it('day and month are what the ledger says, cached tokens by their weight, for key and team', () => {
    const { limiter } = limiterOf({}, { ml: { tokensPerMonth: 10_000 } })
    const limits = { tokensPerDay: 5_000, requestsPerMonth: 100 }
    const sum = row(3_600_000, 1_000, { requests: 7, cachedInput: 800, output: 50, team: 'ml' })
    limiter.restore(
      { minute: [], day: [sum], month: [sum, { ...sum, keyId: 'gone', input: 2_000, cachedInput: 0 }] },
      (id) => (id === 'gone' ? null : { name: 'a', limits }),
    )
    expect(limiter.headers(keyOf(limits))).toMatchObject({
      'x-ratelimit-remaining-tokens': String(5_000 - 450),
      'x-ratelimit-remaining-requests': '93',
    })
    expect(limiter.headers(keyOf({}, 'ml'))['x-ratelimit-remaining-tokens']).toBe(String(10_000 - 450 - 2_050))
  })

  it('asks the ledger since the day and the month began, in the zone of the limits', () => {
    const { limiter } = limiterOf({ timeZone: 'Asia/Tokyo' })
    expect(limiter.pastFrom()).toEqual({
      minuteMs: startWallMs - 60_000,
      dayMs: Date.UTC(2026, 0, 14, 15),
      monthMs: Date.UTC(2025, 11, 31, 15),
    })
  })
})
