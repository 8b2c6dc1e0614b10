/** A limiter on a clock of its own, with a key, its team and an address. */

import { Limiter, type Subject } from '../../../src/access/limiter.ts'
import type { Limits } from '../../../src/access/limits.ts'
import { type LimitsOptions, limitsOptions, type TeamsOptions } from '../../../src/access/options.ts'
import { Reservation } from '../../../src/access/reservation.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

export const startWallMs = Date.UTC(2026, 0, 15, 12)

/** A FakeClock whose wall can be set apart from its monotonic time. */
export class SteppedClock extends FakeClock {
  stepMs = 0
  override wallMs(): number {
    return super.wallMs() + this.stepMs
  }
}

export function limiterOf(
  options: Partial<LimitsOptions> = {},
  teams: TeamsOptions = {},
  wallMs = startWallMs,
  chance = 0,
) {
  const clock = new SteppedClock(1_000, wallMs)
  const limiter = new Limiter({
    clock,
    limits: { ...limitsOptions.parse({}), ...options },
    teams,
    chance: () => chance,
  })
  /** The reservation, or the refusal. */
  const ask = (subject: Subject, input: number, output = 0): Reservation | GatewayError => {
    const cost = { requests: 1, input, output }
    const answer = limiter.ask(subject, cost)
    return answer instanceof Reservation ? answer : limiter.refuse(subject, cost, answer)
  }
  const admit = (subject: Subject, input: number, output = 0): Reservation => {
    const answer = ask(subject, input, output)
    if (answer instanceof GatewayError) throw answer
    return answer
  }
  const refuse = (subject: Subject, input: number, output = 0): GatewayError => {
    const answer = ask(subject, input, output)
    if (answer instanceof GatewayError) return answer
    throw new Error('it was admitted')
  }
  return { clock, limiter, ask, admit, refuse }
}

export function keyOf(limits: Limits, team: string | null = null, keyId = 'AAAAAAAA'): Subject {
  return { keyId, name: `name-${keyId}`, team, limits }
}

export function used(input: number, output: number, cachedInput = 0) {
  return { input, output, cachedInput, reasoning: 0 }
}
