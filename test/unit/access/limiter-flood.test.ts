import { describe, expect, it } from 'vitest'
import { Estimates } from '../../../src/access/estimates.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import { type FloodResult, flood, type Share } from './flood.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'
import { seeded, sizeOfRequest } from './request-sizes.ts'

const long = process.env['TEST_LONG'] === 'true'
const seeds = long ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2]

/** Against a limit of 60,000 a minute: the multiples of it for which papers have figures of other limiters. */
const floods = [2.7, 14, 68].flatMap((offered) => [0, 2].map((retries) => ({ offered, retries })))

describe.each(floods)(
  'a flood of $offered times the limit, each refused client coming back $retries times',
  (settings) => {
    const results = seeds.map((seed) =>
      flood({ ...settings, tokensPerMinute: 60_000, minutes: minutesOf(settings), seed }),
    )
    const worst = (of: (result: FloodResult) => number) => Math.max(...results.map(of))

    it('no 60 s have more than 1.25 of the limit, of what was charged and of what was really used', () => {
      expect(worst(({ charged }) => charged.worst)).toBeLessThanOrEqual(1.25)
      expect(worst(({ used: really }) => really.worst)).toBeLessThanOrEqual(1.25)
    })

    it('in the long run it is the limit, neither more nor less', () => {
      for (const figures of [worst(({ charged }) => charged.long), worst(({ used: really }) => really.long)]) {
        expect(figures).toBeLessThanOrEqual(1.02)
        expect(figures).toBeGreaterThan(0.95)
      }
    })

    it('large requests are admitted in about the share of all others', () => {
      const { small, middle, large } = sumOfShares(results)
      expect(share(large) / share(middle)).toBeGreaterThan(0.5)
      expect(share(large) / share(middle)).toBeLessThan(2)
      // The smallest find room beside what is put aside for others.
      expect(share(small) / share(middle)).toBeGreaterThan(0.5)
      if (long) report(settings, results)
    })
  },
)

it.each([2, 5])('a team of %d keys gets what one key would, what they reserved in vain notwithstanding', (members) => {
  for (const seed of seeds) {
    const { charged, used: really } = flood({
      offered: 2.7,
      retries: 2,
      tokensPerMinute: 60_000,
      minutes: 12,
      seed,
      members,
    })
    expect(Math.max(charged.worst, really.worst)).toBeLessThanOrEqual(1.25)
    expect(Math.max(charged.long, really.long)).toBeLessThanOrEqual(1.02)
    expect(Math.min(charged.long, really.long)).toBeGreaterThan(0.95)
  }
})

describe('S08: token limit', () => {
  it('S08: of 100 parallel calls at 100 tokens a minute, one more than the limit is reserved at most', () => {
    const { ask, limiter } = limiterOf()
    const key = keyOf({ tokensPerMinute: 100, tokensPerDay: 1_000_000 })
    const reserved = Array.from({ length: 100 }, () => ask(key, 5, 15)).filter(isAdmitted)
    expect(reserved.length).toBeLessThanOrEqual(1 + Math.floor(100 / 20))
    expect(
      1_000_000 - Number(limiter.headers(keyOf({ tokensPerDay: 1_000_000 }))['x-ratelimit-remaining-tokens']),
    ).toBe(20 * reserved.length)
  })

  it('S08: of five parallel answers of 1,000 tokens at 100 a minute, one goes, and the next when it is paid', () => {
    const { ask, clock } = limiterOf()
    const key = keyOf({ tokensPerMinute: 100 })
    const admitted = Array.from({ length: 5 }, () => ask(key, 20, 256)).filter(isAdmitted)
    expect(admitted.length).toBe(1)
    for (let output = 1; output <= 1_000; output += 1) admitted[0]?.topUp(output)
    clock.advanceSync(30_000)
    admitted[0]?.settle(used(20, 1_000))
    // The debt is one window at most, so that no key is shut out for hours by one answer.
    clock.advanceSync(44_000)
    expect(ask(key, 20, 256)).toBeInstanceOf(GatewayError)
    clock.advanceSync(20_000)
    expect(ask(key, 20, 256)).not.toBeInstanceOf(GatewayError)
  })
})

describe('S09: steady 95 % of a limit', () => {
  const steadyMinutes = long ? 60 : 10

  it.each([
    ['tokensPerMinute', 60_000, 700],
    ['inputTokensPerMinute', 30_000, 700],
    ['requestsPerMinute', 3, 1],
    ['requestsPerMinute', 1_000, 1],
    ['outputTokensPerMinute', 6_000, 90],
  ] as const)('S09: %s %d, with equal requests, not one 429', (name, limit, cost) => {
    const { ask, clock } = limiterOf()
    const key = keyOf({ [name]: limit })
    const gapMs = (cost * 60_000) / (0.95 * limit)
    let refused = 0
    let asked = 0
    const input = name === 'inputTokensPerMinute' ? cost : 0
    const output = cost - input
    for (let atMs = 0; atMs < steadyMinutes * 60_000; atMs += gapMs) {
      const answer = ask(key, input, output)
      asked += 1
      if (isAdmitted(answer)) answer.settle(used(input, output))
      else refused += 1
      clock.advanceSync(gapMs)
    }
    expect(asked).toBeGreaterThan(25)
    expect(refused).toBe(0)
  })

  it('S09: with the sizes of a real service, learned, each request when the one before it is paid, not one 429', () => {
    const random = seeded(9)
    const { ask, clock } = limiterOf()
    const key = keyOf({ tokensPerMinute: 60_000 })
    const estimates = new Estimates(10)
    const running: { endsMs: number; end: () => void }[] = []
    let refused = 0
    for (let atMs = 0; atMs < steadyMinutes * 60_000; ) {
      const { input, output } = sizeOfRequest(random)
      const body = Buffer.alloc(input * 4)
      const { expected, learn } = estimates.expect({
        who: 'k',
        model: 'm',
        endpoint: 'chat_completions',
        body,
        maxOutputTokens: null,
        leastOutputTokens: null,
        choices: 1,
      })
      const answer = ask(key, expected.input, expected.output)
      if (isAdmitted(answer)) {
        const end = () => {
          answer.settle(used(input, output))
          learn(used(input, output))
        }
        running.push({ endsMs: atMs + 500 + (output * 1_000) / 30, end })
      } else refused += 1
      const gapMs = ((input + output) * 60_000) / (0.95 * 60_000)
      clock.advanceSync(gapMs)
      atMs += gapMs
      for (const { end } of takeDue(running, atMs)) end()
    }
    expect(refused).toBe(0)
  })
})

/** As long as there is something to count; most of a large flood is refused. */
function minutesOf({ offered }: { offered: number }): number {
  if (long) return 60
  return offered > 50 ? 9 : 12
}

function isAdmitted(answer: Reservation | GatewayError): answer is Reservation {
  return !(answer instanceof GatewayError)
}

function takeDue<T extends { readonly endsMs: number }>(running: T[], atMs: number): readonly T[] {
  const due = running.filter(({ endsMs }) => endsMs <= atMs)
  running.splice(0, running.length, ...running.filter(({ endsMs }) => endsMs > atMs))
  return due
}

function share({ asked, admitted }: Share): number {
  return admitted / asked
}

function sumOfShares(results: readonly FloodResult[]): FloodResult['shares'] {
  const sum = (size: keyof FloodResult['shares']): Share => ({
    asked: results.reduce((all, { shares }) => all + shares[size].asked, 0),
    admitted: results.reduce((all, { shares }) => all + shares[size].admitted, 0),
  })
  return { small: sum('small'), middle: sum('middle'), large: sum('large') }
}

function report(settings: { offered: number; retries: number }, results: readonly FloodResult[]): void {
  const { small, middle, large } = sumOfShares(results)
  const figure = (of: (result: FloodResult) => number) => {
    const sorted = results.map(of).toSorted((a, b) => a - b)
    return `${sorted[Math.floor(sorted.length / 2)]?.toFixed(3)} (${sorted.at(-1)?.toFixed(3)})`
  }
  const percent = (of: Share) => `${(100 * share(of)).toFixed(1)} %`
  const line = [
    `offered ${settings.offered}, returns ${settings.retries}`,
    `charged: worst 60 s ${figure(({ charged }) => charged.worst)}, long ${figure(({ charged }) => charged.long)}`,
    `used: worst 60 s ${figure((result) => result.used.worst)}, long ${figure((result) => result.used.long)}`,
    `admitted of small ${percent(small)}, middle ${percent(middle)}, large ${percent(large)}`,
  ].join(' | ')
  process.stdout.write(`${line}\n`)
}
