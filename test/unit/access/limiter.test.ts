import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Subject } from '../../../src/access/limiter.ts'
import type { Limits } from '../../../src/access/limits.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'

const remaining = (headers: Readonly<Record<string, string>>, counts = 'tokens') =>
  Number(headers[`x-ratelimit-remaining-${counts}`])

describe('a refusal', () => {
  it('says which limit of whom, what the request needs and when that fits', () => {
    const { admit, refuse } = limiterOf()
    const key = keyOf({ tokensPerMinute: 60_000 })
    admit(key, 21_500)
    const error = refuse(key, 10_000, 1_000)
    expect([error.code, error.retryAfterMs]).toEqual(['rate_limit_exceeded', 10_000])
    expect(error.message).toBe(
      'The limit of key "name-AAAAAAAA" is 60000 tokens per minute, and this request needs 11000. It fits in 10 s.',
    )
  })

  it.each([
    [
      { requestsPerMinute: 1 },
      'rate_limit_exceeded',
      60_000,
      'is 1 requests per minute, which are used up. It fits in 60 s.',
    ],
    [
      { inputTokensPerMinute: 400 },
      'rate_limit_exceeded',
      7_500,
      'is 400 prompt tokens per minute, and this request needs 100. It',
    ],
    [
      { outputTokensPerMinute: 40 },
      'rate_limit_exceeded',
      7_500,
      'is 40 generated tokens per minute, and this request needs 10. It',
    ],
    [{ concurrentRequests: 1 }, 'concurrency_limit_exceeded', 1_000, 'is 1 requests at once, and so many wait or run.'],
    [{ requestsPerDay: 1 }, 'quota_exceeded', 12 * 3_600_000, 'is 1 requests per day, which are used up.'],
    [{ tokensPerDay: 150 }, 'quota_exceeded', 12 * 3_600_000, 'is 150 tokens per day, and this request needs 110.'],
    [
      { tokensPerMonth: 150 },
      'quota_exceeded',
      16.5 * 24 * 3_600_000,
      'is 150 tokens per month, and this request needs 110.',
    ],
  ])('of %j', (limits, code, retryAfterMs, words) => {
    const { admit, refuse } = limiterOf()
    const key = keyOf(limits)
    admit(key, 100, 10)
    const error = refuse(key, 100, 10)
    expect([error.code, error.retryAfterMs]).toEqual([code, retryAfterMs])
    expect(error.message).toContain(words)
  })

  it('of several limits tells the one that lasts longest', () => {
    const { admit, refuse } = limiterOf({}, { ml: { tokensPerMinute: 400 } })
    const key = keyOf({ requestsPerMinute: 1, concurrentRequests: 1, tokensPerMinute: 60_000 }, 'ml')
    admit(key, 100)
    expect(refuse(key, 10).message).toContain('is 1 requests per minute')
    expect(refuse(keyOf({}, 'ml', 'BBBBBBBB'), 100).message).toContain('of team "ml" is 400 tokens per minute')
  })

  it('does not name an address', () => {
    const { admit, refuse } = limiterOf({ default: { requestsPerMinute: 1 } })
    const stranger: Subject = { keyId: null, address: '10.0.0.5' }
    admit(stranger, 1)
    expect(refuse(stranger, 1).message).not.toContain('10.0.0.5')
    expect(() => admit({ keyId: null, address: '10.0.0.6' }, 1)).not.toThrow()
  })

  it.each([
    ['up to a tenth later', { requestsPerMinute: 3 }, 3, [60_000, 60_000, 60_000], 'It fits in 60 s.'],
    ['up to a tenth later', { requestsPerMinute: 20 }, 10, [3_000, 3_150, 3_300], 'It fits in 3 s.'],
    ['5 s later at the most', { requestsPerDay: 1 }, 1, [86_400_000, 86_402_500, 86_405_000], 'It fits in 86400 s.'],
  ])(
    'asks those refused together to come back apart, %s, and says the true time (%o)',
    (_how, limits, fit, waits, said) => {
      const told = [0, 0.5, 1].map((chance) => {
        const { refuse, admit } = limiterOf({}, {}, 0, chance)
        const key = keyOf(limits)
        for (let asked = 0; asked < fit; asked += 1) admit(key, 1)
        const { retryAfterMs, message } = refuse(key, 1)
        expect(message).toContain(said)
        return retryAfterMs
      })
      expect(told).toEqual(waits)
    },
  )
})

describe('what is put aside for a large request of a team', () => {
  it('ends when it is admitted: whoever came back as told may have it again, as one that never had to', () => {
    const waits = [true, false].map((isRefusedFirst) => {
      const { clock, ask, refuse, admit } = limiterOf({}, { house: { tokensPerMinute: 60_000 } })
      const [large, small] = [keyOf({}, 'house', 'LARGELAR'), keyOf({}, 'house', 'SMALLSMA')]
      for (let at = 0; at < 15; at += 1) admit(small, 1_000)
      if (isRefusedFirst) refuse(large, 20_000)
      clock.advanceSync(12_500)
      admit(large, 20_000).settle(used(20_000, 0))
      // Until it may claim again at all.
      clock.advanceSync(100_000)
      while (!(ask(small, 1_000) instanceof GatewayError));
      // Put aside from now on, unless it is barred for not having come.
      refuse(large, 20_000)
      return refuse(small, 7_000).retryAfterMs
    })
    expect(waits[0]).toBe(waits[1])
  })
})

describe('key and team', () => {
  it('are charged both or none', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ who: fc.nat(2), input: fc.nat(400), gapMs: fc.nat(3_000) }), { maxLength: 60 }),
        (list) => {
          const { clock, limiter, ask } = limiterOf({}, { ml: { tokensPerMinute: 2_000, concurrentRequests: 9 } })
          const keys = ['A', 'B', 'C'].map((id) => keyOf({ tokensPerMinute: 1_000, requestsPerMinute: 30 }, 'ml', id))
          const probe = keyOf({}, 'ml', 'P')
          for (const { who, input, gapMs } of list) {
            clock.advanceSync(gapMs)
            const key = keys[who] ?? probe
            const before = [limiter.headers(key), limiter.headers(probe)]
            const answer = ask(key, input)
            const after = [limiter.headers(key), limiter.headers(probe)]
            if (answer instanceof GatewayError) expect(after).toEqual(before)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('requests at once are never more than either may have', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ who: fc.nat(2), ends: fc.nat(3) }), { maxLength: 100 }), (list) => {
        const { ask } = limiterOf({}, { ml: { concurrentRequests: 4 } })
        const live: { reservation: Reservation; who: number }[] = []
        for (const { who, ends } of list) {
          const answer = ask(keyOf({ concurrentRequests: 2 }, 'ml', String(who)), 1)
          const own = live.filter((other) => other.who === who).length
          const fits = own < 2 && live.length < 4
          expect(answer instanceof GatewayError).toBe(!fits)
          if (!(answer instanceof GatewayError)) live.push({ reservation: answer, who })
          for (const { reservation } of live.splice(0, ends > 1 ? ends - 1 : 0)) {
            reservation.settle(used(1, 1))
            reservation.settle(null)
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('what a key has no limit for is filled from the default, an address has only that, a team never', () => {
    const { limiter } = limiterOf({ default: { tokensPerMinute: 400, requestsPerDay: 7 } }, { ml: {} })
    const limits = (subject: Subject) => {
      const headers = limiter.headers(subject)
      return [headers['x-ratelimit-limit-tokens'], headers['x-ratelimit-limit-requests']]
    }
    expect(limits(keyOf({ tokensPerMinute: 100 }, 'ml'))).toEqual(['100', '7'])
    expect(limits({ keyId: null, address: '::1' })).toEqual(['400', '7'])
  })

  it('new numbers hold from the next request on', () => {
    const { limiter, admit, refuse } = limiterOf()
    admit(keyOf({ requestsPerMinute: 8 }), 1)
    expect(limiter.headers(keyOf({ requestsPerMinute: 80 }))['x-ratelimit-remaining-requests']).toBe('17')
    expect(limiter.headers(keyOf({}))).toEqual({})
    admit(keyOf({ requestsPerDay: 3 }), 1)
    admit(keyOf({ requestsPerDay: 3 }), 1)
    expect(refuse(keyOf({ requestsPerDay: 3 }), 1).code).toBe('quota_exceeded')
  })
})

describe('a reservation', () => {
  it.each<Limits>([
    { tokensPerMinute: 60_000 },
    { inputTokensPerMinute: 60_000 },
    { outputTokensPerMinute: 60_000 },
    { tokensPerDay: 60_000 },
    { tokensPerMonth: 60_000, requestsPerMinute: 60 },
  ])('leaves, once settled, what charging the true use would have left: %j', (limits) => {
    fc.assert(
      fc.property(
        fc.record({ input: fc.nat(1_000), output: fc.nat(1_000), tops: fc.array(fc.nat(9_000), { maxLength: 4 }) }),
        fc.record({ input: fc.nat(3_000), output: fc.nat(9_000) }),
        // Shorter than it takes to be full again: what flows over is lost either way, but not equally much.
        fc.nat(2_900),
        (reserved, real, tookMs) => {
          const [gateway, model] = [limiterOf(), limiterOf()]
          for (const { admit } of [gateway, model]) admit(keyOf(limits), 3_000, 3_000)
          const reservation = gateway.admit(keyOf(limits), reserved.input, reserved.output)
          model.admit(keyOf(limits), 0, 0).settle(used(real.input, real.output))
          for (const output of reserved.tops) {
            gateway.clock.advanceSync(tookMs / 5)
            model.clock.advanceSync(tookMs / 5)
            reservation.topUp(output)
          }
          reservation.settle(used(real.input, real.output))
          expect(gateway.limiter.headers(keyOf(limits))).toEqual(model.limiter.headers(keyOf(limits)))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('is topped up in pieces of 256, which count when they are reserved', () => {
    const { limiter, admit } = limiterOf()
    const key = keyOf({ tokensPerMinute: 60_000 })
    const reservation = admit(key, 100, 50)
    expect([reservation.topUp(50), reservation.topUp(51), reservation.topUp(306), reservation.topUp(307)]).toEqual([
      50, 306, 306, 562,
    ])
    expect(remaining(limiter.headers(key))).toBe(15_000 - 100 - 562)
    reservation.settle(used(100, 320))
    expect(remaining(limiter.headers(key))).toBe(15_000 - 420)
    expect(reservation.topUp(5_000)).toBe(562)
  })

  it('is settled once', () => {
    const { limiter, admit } = limiterOf()
    const key = keyOf({ tokensPerMinute: 60_000 })
    const reservation = admit(key, 1_000, 1_000)
    reservation.settle(used(500, 0))
    reservation.settle(null)
    reservation.settle(used(9_000, 0))
    expect(remaining(limiter.headers(key))).toBe(14_500)
  })

  it('costs nothing when nothing was executed, no request either', () => {
    const { limiter, admit } = limiterOf()
    const key = keyOf({ tokensPerMinute: 60_000, requestsPerMinute: 60, requestsPerDay: 20, tokensPerDay: 10_000 })
    const before = limiter.headers(key)
    admit(key, 1_000, 1_000).settle(null)
    expect(limiter.headers(key)).toEqual(before)
  })

  it.each([
    [0.25, 1_000 - 800 + 200],
    [0, 200],
    [1, 1_000],
  ])('a cached prompt token weighs %d', (cachedInputWeight, charged) => {
    const { limiter, admit } = limiterOf({ cachedInputWeight })
    const key = keyOf({ inputTokensPerMinute: 60_000 })
    admit(key, 2_000).settle(used(1_000, 0, 800))
    expect(remaining(limiter.headers(key))).toBe(15_000 - charged)
  })
})

describe('a large request of one key', () => {
  /** Polls as it is told beside another key of the team that takes all it can get; how often until it is admitted. */
  function returnsOf(limits: Limits): number {
    const { clock, ask } = limiterOf({}, { ml: { tokensPerMinute: 60_000 } })
    const flood = (ms: number) => {
      for (let passed = 0; passed < ms; passed += 20) {
        clock.advanceSync(20)
        const answer = ask(keyOf({}, 'ml', 'B'), 100)
        if (!(answer instanceof GatewayError)) answer.settle(used(100, 0))
      }
    }
    flood(30_000)
    for (let returns = 0; returns < 12; returns++) {
      const answer = ask(keyOf(limits, 'ml'), 12_000)
      if (!(answer instanceof GatewayError)) return returns
      flood(answer.retryAfterMs ?? 0)
    }
    return Number.POSITIVE_INFINITY
  }

  it('gets through beside a flood of small ones of its team, at its second return', () => {
    expect(returnsOf({})).toBeLessThanOrEqual(2)
    expect(returnsOf({ tokensPerMinute: 60_000, inputTokensPerMinute: 60_000 })).toBeLessThanOrEqual(2)
  })

  it('has nothing put aside while a budget keeps it away anyhow', () => {
    const { clock, ask, admit, limiter } = limiterOf({}, { ml: { tokensPerMinute: 60_000 } })
    const spent = keyOf({ tokensPerDay: 1_000 }, 'ml')
    admit(spent, 1_000)
    admit(keyOf({}, 'ml', 'B'), 14_000)
    expect(ask(spent, 12_000)).toBeInstanceOf(GatewayError)
    clock.advanceSync(8_000)
    const before = Number(limiter.headers(keyOf({}, 'ml', 'B'))['x-ratelimit-remaining-tokens'])
    expect(before).toBe(8_000)
    expect(ask(keyOf({}, 'ml', 'B'), 8_000)).not.toBeInstanceOf(GatewayError)
  })
})

describe('memory', () => {
  it('never forgets what is running', () => {
    const { clock, admit, ask } = limiterOf({ clientsMax: 2, default: { concurrentRequests: 1 } })
    const running = [1, 2, 3, 4, 5].map((n) => ({ subject: keyOf({}, null, `K${n}`), n }))
    for (const { subject } of running) admit(subject, 1)
    // Longer than anything else of them counts.
    clock.advanceSync(70 * 24 * 3_600_000)
    for (let n = 0; n < 20; n++) admit(keyOf({}, null, `L${n}`), 1)
    for (let n = 0; n < 20; n++) admit({ keyId: null, address: `10.0.0.${n}` }, 1)
    for (const { subject } of running) expect(ask(subject, 1)).toBeInstanceOf(GatewayError)
    for (let n = 0; n < 20; n++) expect(ask({ keyId: null, address: `10.0.0.${n}` }, 1)).toBeInstanceOf(GatewayError)
  })

  it('tells a key by the name that it has now', () => {
    const { admit, refuse } = limiterOf()
    const key = keyOf({ requestsPerMinute: 1 })
    admit(key, 1)
    const renamed: Subject = { keyId: 'AAAAAAAA', name: 'new', team: null, limits: { requestsPerMinute: 1 } }
    expect(refuse(renamed, 1).message).toContain('The limit of key "new" is 1')
  })

  it('keeps what counts and forgets what does not', () => {
    const { clock, limiter, admit, refuse } = limiterOf({ clientsMax: 4, default: { requestsPerMinute: 1 } })
    const stranger = (n: number): Subject => ({ keyId: null, address: `10.0.0.${n}` })
    admit(stranger(1), 1)
    for (let n = 2; n <= 4; n++) admit(stranger(n), 1).settle(used(1, 1))
    // The first is still running; the second goes, although it had used something: addresses are bounded.
    admit(stranger(5), 1)
    expect(refuse(stranger(1), 1).code).toBe('rate_limit_exceeded')
    expect(() => admit(stranger(2), 1)).not.toThrow()
    clock.advanceSync(200_000)
    expect(remaining(limiter.headers(stranger(1)), 'requests')).toBe(1)
  })

  it('no key has its day given back by others', () => {
    const { clock, admit, refuse } = limiterOf({ clientsMax: 2 })
    admit(keyOf({ requestsPerDay: 1 }), 1).settle(used(1, 1))
    for (let n = 0; n < 50; n++) {
      clock.advanceSync(100_000)
      admit(keyOf({ requestsPerMinute: 60 }, null, String(n)), 1).settle(used(1, 1))
    }
    expect(refuse(keyOf({ requestsPerDay: 1 }), 1).code).toBe('quota_exceeded')
  })
})

describe('other limits while it runs', () => {
  it('hold for the next request, whoever asked before, and what was charged stays charged', async () => {
    const { clock, limiter, ask, admit, refuse } = limiterOf({ default: { tokensPerMinute: 1_000 } }, { ml: {} })
    const [own, team] = [keyOf({}), keyOf({}, 'ml', 'BBBBBBBB')]
    admit(own, 900)
    admit(team, 900)
    limiter.adopt({ ...limitsOptions.parse({}), default: { tokensPerMinute: 10_000 } }, { ml: { requestsPerDay: 2 } })
    await clock.advance(180_000)
    admit(own, 5_000)
    admit(team, 5_000)
    expect(refuse(team, 1).code).toBe('quota_exceeded')
    expect(limiter.hasTeam('ml')).toBe(true)
    limiter.adopt({ ...limitsOptions.parse({}), default: {} }, {})
    expect(ask(own, 1_000_000)).not.toBeInstanceOf(GatewayError)
    expect(ask(team, 1_000_000)).not.toBeInstanceOf(GatewayError)
    expect(limiter.hasTeam('ml')).toBe(false)
  })
})
