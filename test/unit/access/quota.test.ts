import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'

const hourMs = 3_600_000
const at = (text: string) => Date.parse(text)
const left = (gateway: ReturnType<typeof limiterOf>, limits: Record<string, number>) =>
  Number(gateway.limiter.headers(keyOf(limits))['x-ratelimit-remaining-tokens'])

describe('a budget', () => {
  it('is spent by what was used and what is reserved', () => {
    const { admit, refuse } = limiterOf()
    const key = keyOf({ tokensPerDay: 1_000 })
    const first = admit(key, 600)
    expect(refuse(key, 401).code).toBe('quota_exceeded')
    first.settle(used(100, 0))
    const second = admit(key, 900)
    second.settle(null)
    expect(() => admit(key, 900)).not.toThrow()
  })

  it('smaller than a single request lets that through alone', () => {
    const { admit, ask } = limiterOf()
    const key = keyOf({ tokensPerDay: 1_000 })
    admit(key, 5_000).settle(used(5_000, 0))
    expect(ask(key, 1)).toBeInstanceOf(GatewayError)
  })

  it('begins anew with the day, and not before', () => {
    const gateway = limiterOf({}, {}, at('2026-01-15T23:00:00Z'))
    const key = keyOf({ requestsPerDay: 1 })
    gateway.admit(key, 1)
    expect(gateway.refuse(key, 1).retryAfterMs).toBe(hourMs)
    gateway.clock.advanceSync(hourMs - 1)
    expect(gateway.refuse(key, 1).retryAfterMs).toBe(1)
    gateway.clock.advanceSync(1)
    expect(() => gateway.admit(key, 1)).not.toThrow()
  })

  it('a request over midnight is charged to the day that admitted it', () => {
    const gateway = limiterOf({}, {}, at('2026-01-15T23:59:00Z'))
    const limits = { tokensPerDay: 1_000 }
    const reservation = gateway.admit(keyOf(limits), 500)
    gateway.clock.advanceSync(hourMs)
    reservation.topUp(100)
    reservation.settle(used(500, 300))
    expect(left(gateway, limits)).toBe(1_000)
  })
})

describe('G16: the wall clock is set', () => {
  it.each([
    ['an hour on and back', [hourMs, -hourMs]],
    ['an hour back and on', [-hourMs, hourMs]],
    ['over midnight and back, twice', [13 * hourMs, -13 * hourMs, 13 * hourMs, -13 * hourMs]],
    ['a year on and back', [365 * 24 * hourMs, -365 * 24 * hourMs]],
  ])('G16: %s: no free day, no free month', (_, steps) => {
    const gateway = limiterOf()
    const limits = { tokensPerDay: 1_000, tokensPerMonth: 100_000 }
    gateway.admit(keyOf(limits), 900).settle(used(900, 0))
    for (const step of steps) {
      gateway.clock.stepMs += step
      gateway.ask(keyOf(limits), 1)
    }
    expect(gateway.refuse(keyOf(limits), 200).code).toBe('quota_exceeded')
  })

  it('G16: limits per minute do not notice, neither as free use nor as refusals', () => {
    for (const stepMs of [hourMs, -hourMs, 1_000, -1_000]) {
      const gateway = limiterOf()
      const key = keyOf({ tokensPerMinute: 6_000 })
      gateway.admit(key, 2_250)
      gateway.clock.stepMs = stepMs
      expect(gateway.refuse(key, 1_500).retryAfterMs).toBe(15_000)
      gateway.clock.advanceSync(15_000)
      expect(() => gateway.admit(key, 1_500)).not.toThrow()
    }
  })

  it('G16: the day on which the clocks change is 23 hours, and has one budget', () => {
    const gateway = limiterOf({ timeZone: 'Europe/Berlin' }, {}, at('2026-03-28T23:00:00Z'))
    const key = keyOf({ requestsPerDay: 1 })
    gateway.admit(key, 1)
    gateway.clock.advanceSync(23 * hourMs - 1)
    expect(gateway.refuse(key, 1).retryAfterMs).toBe(1)
    gateway.clock.advanceSync(1)
    expect(() => gateway.admit(key, 1)).not.toThrow()
  })
})
