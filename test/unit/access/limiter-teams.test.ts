/** A member of a team that reserves much and uses nothing does not keep the team's allowance from the others. */
import { describe, expect, it } from 'vitest'
import { Allowance } from '../../../src/access/allowance.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'

const tokensPerMinute = 60_000
const minutes = 30
const stepMs = 100

interface Tactic {
  readonly size: number
  readonly heldMs: number
  /** Requests at once. */
  readonly many: number
  /** Gone before a host had it. */
  readonly leaves?: boolean
}

/** What another member uses, in multiples of the limit, who asks twice a second for more than that. */
function shareBeside({ size, heldMs, many, leaves = false }: Tactic): number {
  const { clock, ask } = limiterOf({}, { ml: { tokensPerMinute } })
  const [greedy, victim] = [keyOf({}, 'ml', 'GREEDY'), keyOf({}, 'ml', 'VICTIM')]
  let running: { reservation: Reservation; endsMs: number }[] = []
  let nextMs = 0
  let got = 0
  for (let atMs = 0; atMs < minutes * 60_000; atMs += stepMs) {
    for (const { reservation } of running.filter(({ endsMs }) => endsMs <= atMs))
      reservation.settle(leaves ? null : used(12, 1))
    running = running.filter(({ endsMs }) => endsMs > atMs)
    while (running.length < many && nextMs <= atMs) {
      const answer = ask(greedy, size, 1)
      if (answer instanceof GatewayError) nextMs = atMs + Math.max(stepMs, answer.retryAfterMs ?? 0)
      else running.push({ reservation: answer, endsMs: atMs + heldMs })
    }
    if (atMs % 500 === 0) {
      const answer = ask(victim, 1_000, 500)
      if (!(answer instanceof GatewayError)) {
        answer.settle(used(1_000, 500))
        got += 1_500
      }
    }
    clock.advanceSync(stepMs)
  }
  return got / minutes / tokensPerMinute
}

describe('the other of two members of a team gets its half at least', () => {
  it.each<Tactic>([
    { size: 60_000, heldMs: 60_000, many: 1 },
    { size: 60_000, heldMs: 30_000, many: 1 },
    { size: 60_000, heldMs: 100, many: 1 },
    { size: 60_000, heldMs: 60_000, many: 1, leaves: true },
    { size: 15_000, heldMs: 300_000, many: 10 },
    { size: 7_400, heldMs: 60_000, many: 8 },
    { size: 7_400, heldMs: 60_000, many: 40 },
    { size: 1_500, heldMs: 60_000, many: 100 },
  ])('beside one that reserves $size tokens $many times for $heldMs ms and uses none', (tactic) => {
    expect(shareBeside(tactic)).toBeGreaterThan(0.5)
  })
})

describe('what was reserved in vain', () => {
  const team = { ml: { tokensPerMinute } }

  it('is no reason to refuse anything as long as there is enough for all', () => {
    const { clock, ask, admit } = limiterOf({}, team)
    for (let i = 0; i < 200; i++) {
      const reservation = admit(keyOf({}, 'ml'), 100, 256)
      clock.advanceSync(5_000)
      reservation.settle(used(100, 10))
      expect(ask(keyOf({}, 'ml'), 1, 1)).not.toBeInstanceOf(GatewayError)
    }
  })

  it('is nobody’s loss, and costs nothing, as long as only its owner asks', () => {
    const { clock, ask, limiter } = limiterOf({}, team)
    const key = keyOf({}, 'ml')
    for (const [size, heldMs] of [
      [50_000, 60_000],
      [50_000, 120_000],
      [30_000, 60_000],
    ] as const) {
      const reservation = ask(key, size, 256)
      if (reservation instanceof GatewayError) throw reservation
      expect(ask(key, size, 256)).toBeInstanceOf(GatewayError)
      clock.advanceSync(heldMs)
      reservation.settle(null)
      clock.advanceSync(22_500)
      expect(limiter.headers(key)['x-ratelimit-remaining-tokens']).toBe('15000')
      expect(ask(key, 100, 100)).not.toBeInstanceOf(GatewayError)
      clock.advanceSync(60_000)
    }
  })

  it('costs something for two minutes after another was refused, and the time that is told is right', () => {
    const { clock, ask, admit, refuse } = limiterOf({}, team)
    const [key, other] = [keyOf({}, 'ml'), keyOf({}, 'ml', 'B')]
    const reservations = [admit(key, 50_000)]
    refuse(other, 1)
    clock.advanceSync(75_000)
    reservations.push(admit(key, 50_000))
    clock.advanceSync(40_000)
    for (const reservation of reservations) reservation.settle(null)
    // 115 s after the refusal, and a full bucket; of more than 80 s of refill that are owed, 5 count.
    expect(refuse(key, 20_000).retryAfterMs).toBe(5_000)
    clock.advanceSync(4_999)
    expect(refuse(key, 20_000).retryAfterMs).toBe(1)
    clock.advanceSync(1)
    expect(ask(key, 20_000)).not.toBeInstanceOf(GatewayError)
  })

  it('is not made to count by whoever is refused only for what it owes itself', () => {
    const allowance = new Allowance(tokensPerMinute, { evens: true, shared: true }, 0)
    allowance.take(22_500, 0)
    allowance.missed(1, 'c', 0)
    for (const who of ['a', 'b']) allowance.ended({ reserved: 120_000, needed: 0, heldMs: 60_000 }, who, 100_000)
    expect(allowance.fitsInMs(20_000, 'a', 110_000)).toBe(10_000)
    allowance.missed(20_000, 'a', 110_000)
    expect(allowance.fitsInMs(20_000, 'b', 120_000)).toBe(0)
  })

  it('does not keep its owner’s large requests back later, as long as only it asked', () => {
    const { clock, ask, admit } = limiterOf({}, team)
    const [key, other] = [keyOf({}, 'ml'), keyOf({}, 'ml', 'B')]
    for (let i = 0; i < 5; i++) {
      const reservation = admit(key, 30_000)
      clock.advanceSync(60_000)
      reservation.settle(null)
      clock.advanceSync(30_000)
    }
    clock.advanceSync(60_000)
    let isIn = false
    let [atMs, nextMs] = [0, 0]
    for (; !isIn && atMs < 600_000; atMs += stepMs) {
      const small = ask(other, 1_000)
      if (!(small instanceof GatewayError)) small.settle(used(1_000, 0))
      if (nextMs <= atMs) {
        const answer = ask(key, 30_000)
        isIn = !(answer instanceof GatewayError)
        if (answer instanceof GatewayError) nextMs = atMs + (answer.retryAfterMs ?? 0)
      }
      clock.advanceSync(stepMs)
    }
    expect(isIn).toBe(true)
    expect(atMs).toBeLessThan(180_000)
  })

  it('is not told as left: what is, is admitted', () => {
    const { clock, ask, admit, limiter } = limiterOf({}, team)
    const [key, other] = [keyOf({}, 'ml'), keyOf({}, 'ml', 'B')]
    const reservation = admit(key, 10_000)
    clock.advanceSync(60_000)
    expect(ask(other, 60_000)).not.toBeInstanceOf(GatewayError)
    expect(ask(other, 1)).toBeInstanceOf(GatewayError)
    clock.advanceSync(65_000)
    reservation.settle(used(1, 0))
    const left = (subject: typeof key) => Number(limiter.headers(subject)['x-ratelimit-remaining-tokens'])
    expect([left(key), left(other)]).toEqual([5_001, 15_000])
    for (const part of [5_000, 1]) expect(ask(key, part)).not.toBeInstanceOf(GatewayError)
    expect([left(key), left(other)]).toEqual([0, 9_999])
    ask(key, 1)
    expect(ask(key, 1)).toBeInstanceOf(GatewayError)
    expect(ask(other, 9_000)).not.toBeInstanceOf(GatewayError)
  })

  it.each([
    ['a host that failed', (reservation: Reservation) => reservation.settle(null, true)],
    ['a prompt that was in a cache', (reservation: Reservation) => reservation.settle(used(14_000, 1, 14_000))],
  ])('is not its owner’s doing after %s', (_what, end) => {
    const { clock, ask, admit } = limiterOf({ cachedInputWeight: 0 }, team)
    const reservation = admit(keyOf({}, 'ml'), 14_000, 1)
    clock.advanceSync(60_000)
    end(reservation)
    expect(ask(keyOf({}, 'ml'), 14_000)).not.toBeInstanceOf(GatewayError)
  })

  it('costs a key without a team nothing', () => {
    const { clock, ask, admit } = limiterOf()
    const key = keyOf({ tokensPerMinute })
    const reservation = admit(key, 14_000, 1)
    clock.advanceSync(60_000)
    reservation.settle(null)
    expect(ask(key, 14_000)).not.toBeInstanceOf(GatewayError)
  })
})
