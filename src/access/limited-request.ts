/** One request at the limits of its caller: it asks for what it is likely to take, may wait for it, and holds it until it is settled. */
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { TokenCounts } from '../metering/usage.ts'
import type { EndpointName } from '../wire/endpoints.ts'
import type { PromptSize } from '../wire/prompt-size.ts'
import type { Expectation } from './estimates.ts'
import type { AccessEvents } from './events.ts'
import type { Cost } from './held.ts'
import { LimitVerdict } from './limit-verdict.ts'
import type { Subject } from './limiter.ts'
import type { Asking, Delay } from './own-line.ts'
import type { Reservation } from './reservation.ts'

export interface Ask {
  readonly model: string
  readonly endpoint: EndpointName
  readonly body: Buffer
  readonly maxOutputTokens: number | null
  readonly leastOutputTokens: number | null
  readonly choices: number
}

interface Length {
  readonly prompt: PromptSize
  readonly output: number
}

interface Admission {
  readonly promptEstimate: number
  readonly outputReserved: number
  readonly askedForMs: number
  topUp(output: number): number
  settle(used: TokenCounts | null, how: { readonly reported: boolean; readonly blameless: boolean }): void
}

export interface Turn {
  readonly class: RequestClass
  readonly patienceMs: number
  estimated?(length: Length): void
  admitted(admission: Admission): void
  refused(error: GatewayError): void
}

interface LimitedCaller {
  readonly key: string
  readonly holder: string
  /** With the limits of now. */
  readonly subject: Subject
  gaveBack(): void
}

interface LimitedRequestParts {
  readonly caller: LimitedCaller
  readonly turn: Turn
  readonly expectation: Expectation
  readonly model: string
  readonly events: AccessEvents
}

/** What asks and what was admitted are one object: each request has it, and the most ask once. */
export class LimitedRequest implements Asking, Admission {
  readonly holder: string
  readonly class: RequestClass
  readonly patienceMs: number
  readonly cost: Cost
  readonly #parts: LimitedRequestParts
  readonly #verdict: LimitVerdict
  #reservation: Reservation | null = null

  constructor(parts: LimitedRequestParts) {
    const { caller, turn, expectation, events } = parts
    const { input, output } = expectation.expected
    this.holder = caller.holder
    this.class = turn.class
    this.patienceMs = turn.patienceMs
    this.cost = { requests: 1, input, output }
    this.#parts = parts
    this.#verdict = new LimitVerdict(events, { key: caller.key, class: turn.class })
  }

  subject(): Subject {
    return this.#parts.caller.subject
  }

  admitted(reservation: Reservation, delay: Delay): void {
    this.#reservation = reservation
    this.#verdict.admitted(delay)
    this.#parts.turn.admitted(this)
  }

  refused(error: GatewayError, delay: Delay): void {
    this.#verdict.refused(delay)
    this.#parts.turn.refused(error)
  }

  left(waitedMs: number): void {
    this.#verdict.left(waitedMs)
  }

  get promptEstimate(): number {
    return this.cost.input
  }

  get outputReserved(): number {
    return this.cost.output
  }

  get askedForMs(): number {
    return this.#reservation?.askedForMs ?? 0
  }

  topUp(output: number): number {
    return this.#reservation?.topUp(output) ?? output
  }

  settle(used: TokenCounts | null, { reported, blameless }: { reported: boolean; blameless: boolean }): void {
    const { caller, expectation, events, model } = this.#parts
    this.#reservation?.settle(used, blameless)
    if (reported && used !== null) {
      expectation.learn(used)
      events.reservationSettled(model, (used.input + used.output) / (this.cost.input + this.cost.output))
    }
    caller.gaveBack()
  }
}
