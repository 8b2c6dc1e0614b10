import { describe, expect, it, test } from 'vitest'
import { goDuration } from '../../../src/access/rate-limit-headers.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'

test.each([
  [0, '0s'],
  [0.2, '1ms'],
  [820, '820ms'],
  [1_000, '1s'],
  [1_500, '1.5s'],
  [59_999, '59.999s'],
  [60_000, '1m0s'],
  [360_000, '6m0s'],
  [3_723_000, '1h2m3s'],
  [3_600_000, '1h0m0s'],
  [90_000_500, '25h0m0.5s'],
])('%d ms is %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text)
})

describe('the six headers', () => {
  it('are absent without limits', () => {
    expect(limiterOf().limiter.headers(keyOf({ concurrentRequests: 3 }))).toEqual({})
  })

  it('say what is left once the request is reserved, in whole numbers, and when all of it is there again', () => {
    const { limiter, admit, clock } = limiterOf()
    const key = keyOf({ requestsPerMinute: 60, tokensPerMinute: 60_000 })
    admit(key, 4_000, 1_000)
    clock.advanceSync(0.5)
    expect(limiter.headers(key)).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '14',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '60000',
      'x-ratelimit-remaining-tokens': '10000',
      'x-ratelimit-reset-tokens': '5s',
    })
  })

  it('are of the limit with the least share left, be it of key or team, minute or month', () => {
    const { limiter, admit } = limiterOf({}, { ml: { tokensPerMonth: 100_000, requestsPerDay: 1_000 } })
    const limits = { tokensPerMinute: 60_000, inputTokensPerMinute: 400_000, requestsPerMinute: 600 }
    const told = () => {
      const headers = limiter.headers(keyOf(limits, 'ml'))
      return ['limit-tokens', 'remaining-tokens', 'limit-requests'].map((name) => headers[`x-ratelimit-${name}`])
    }
    admit(keyOf(limits, 'ml'), 5_000).settle(used(5_000, 0))
    expect(told()).toEqual(['60000', '10000', '600'])
    for (let i = 0; i < 9; i++) admit(keyOf({}, 'ml', 'B'), 10_000).settle(used(10_000, 0))
    expect(told()).toEqual(['100000', '5000', '1000'])
  })

  it('are never below 0', () => {
    const { limiter, admit } = limiterOf()
    const key = keyOf({ tokensPerMinute: 100, tokensPerDay: 50 })
    admit(key, 500)
    expect(limiter.headers(key)['x-ratelimit-remaining-tokens']).toBe('0')
  })
})
