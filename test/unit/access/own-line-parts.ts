/** Lines of keys that wait for their own limits, on a clock of its own, and what became of each request. */

import type { Subject } from '../../../src/access/limiter.ts'
import type { LimitsOptions, TeamsOptions } from '../../../src/access/options.ts'
import type { OwnTurn } from '../../../src/access/own-line.ts'
import { OwnLines, type OwnLinesParts } from '../../../src/access/own-lines.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import type { RequestClass } from '../../../src/base/request-class.ts'
import { limiterOf, startWallMs } from './limiter-parts.ts'

export interface Entered {
  readonly name: string
  readonly leave: () => void
  readonly estimate: OwnTurn['estimate']
  /** Since it entered; null as long as it waits. */
  waitedMs: number | null
  reservation: Reservation | null
  error: GatewayError | null
}

export interface Entering {
  readonly name?: string
  readonly class?: RequestClass
  readonly patienceMs?: number
  /** Once it was admitted or refused. */
  readonly onEnd?: (waitedMs: number, reservation: Reservation | null) => void
}

export interface OwnLinesSettings extends Partial<Omit<OwnLinesParts, 'clock' | 'limiter'>> {
  readonly limits?: Partial<LimitsOptions>
  readonly teams?: TeamsOptions
  readonly wallMs?: number
}

export function ownLinesOf({ limits = {}, teams = {}, wallMs = startWallMs, ...parts }: OwnLinesSettings = {}) {
  const { clock, limiter } = limiterOf(limits, teams, wallMs)
  const settings = {
    waitMsMax: Number.POSITIVE_INFINITY,
    lengthMax: 1_000,
    mayWait: () => true,
    hasRoom: () => true,
    ...parts,
  }
  const lines = new OwnLines({ clock, limiter, ...settings })
  /** Names in the order in which they were admitted. */
  const admitted: string[] = []
  const enter = (subject: Subject | (() => Subject), tokens: number, entering: Entering = {}): Entered => {
    const sinceMs = clock.now()
    const subjectOf = typeof subject === 'function' ? subject : () => subject
    const state: Omit<Entered, keyof OwnTurn> = {
      name: entering.name ?? '',
      waitedMs: null,
      reservation: null,
      error: null,
    }
    const turn = lines.enter({
      holder: holderOf(subjectOf()),
      subject: subjectOf,
      cost: { requests: 1, input: tokens, output: 0 },
      class: entering.class ?? 'default',
      patienceMs: entering.patienceMs ?? 60_000,
      admitted: (reservation) => {
        Object.assign(state, { reservation, waitedMs: clock.now() - sinceMs })
        admitted.push(state.name)
        entering.onEnd?.(clock.now() - sinceMs, reservation)
      },
      refused: (error) => {
        Object.assign(state, { error, waitedMs: clock.now() - sinceMs })
        entering.onEnd?.(clock.now() - sinceMs, null)
      },
      left: () => {},
    })
    return Object.assign(state, turn)
  }
  /** What it had reserved is given back, and its line told, as access does. */
  const settle = (entered: Entered, subject: Subject): void => {
    entered.reservation?.settle(null)
    lines.lookAgain(holderOf(subject))
  }
  return { clock, limiter, lines, enter, settle, admitted }
}

function holderOf(subject: Subject): string {
  return subject.keyId ?? subject.address
}
