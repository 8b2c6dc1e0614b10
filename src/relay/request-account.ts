/** What a request owes: its reservation under the limits of its caller, and its row in the ledger. */
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { RequestFigures } from '../metering/ledger-store.ts'
import type { Cover } from '../metering/meter.ts'
import type { TokenCounts } from '../metering/usage.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { PlaceInLine } from '../wire/heartbeat.ts'
import { leastOutputTokens, surestOutputTokens } from '../wire/output-limit.ts'
import type { RequestBody } from '../wire/request-body.ts'
import {
  type Admission,
  type AdmissionTurn,
  type Caller,
  type ExpectedLength,
  type LimitTurn,
  noLimitTurn,
} from './caller.ts'
import { type EndCode, endedBy, endedByClient, endedByFleet, type Outcome } from './outcome.ts'
import type { RelayParts } from './relay-parts.ts'
import type { RequestRecord } from './request-record.ts'

/** How far it has come: what a checkpoint of its row says. */
export interface Progress {
  readonly host: string | null
  /** Name of the model there. */
  readonly modelAtHost: string | null
  /** The prompt is at a host. */
  readonly sent: boolean
  /** Frames with content so far. */
  readonly frames: number
}

/** Whose account it is. */
export interface AccountedRequest {
  readonly record: Pick<RequestRecord, 'id' | 'requestId'>
  readonly caller: Caller
  readonly endpoint: Endpoint
  progress(): Progress
  /** As `AdmissionTurn.estimated`. */
  estimated(length: ExpectedLength): void
  admitted(): void
  /** It was refused with a GatewayError, or something failed that must not. */
  fault(error: unknown): void
}

type AccountParts = Pick<RelayParts, 'ledger' | 'clock' | 'costOf'>

export class RequestAccount implements AdmissionTurn, Cover {
  readonly #parts: AccountParts
  readonly #request: AccountedRequest
  class: RequestClass = 'default'
  patienceMs = 0
  #model = ''
  #stream = false
  #admission: Admission | null = null
  #turn: LimitTurn = noLimitTurn

  constructor(parts: AccountParts, request: AccountedRequest) {
    this.#parts = parts
    this.#request = request
  }

  /** Reserves what the request may use, at once or after a wait for the limits of its caller, and opens its row. */
  admit(body: RequestBody, ofClass: RequestClass, patienceMs: number): void {
    const { caller, endpoint } = this.#request
    const { outputLimits } = body
    const { maxOutputTokens } = caller
    const surest = surestOutputTokens(outputLimits, endpoint.outputLimit)
    this.class = ofClass
    this.patienceMs = patienceMs
    this.#model = body.model
    this.#stream = body.stream
    const ask = {
      model: body.model,
      endpoint: endpoint.name,
      body: body.bytes,
      maxOutputTokens: least(surest, maxOutputTokens),
      leastOutputTokens: least(leastOutputTokens(outputLimits), maxOutputTokens),
      choices: body.generations,
    }
    this.#turn = caller.admit(ask, this)
  }

  estimated(length: ExpectedLength): void {
    this.#request.estimated(length)
  }

  admitted(admission: Admission): void {
    try {
      this.#open(admission)
      this.#request.admitted()
    } catch (error) {
      this.#request.fault(error)
    }
  }

  refused(error: GatewayError): void {
    this.#request.fault(error)
  }

  #open(admission: Admission): void {
    const { ledger, clock } = this.#parts
    const { record, caller, endpoint } = this.#request
    this.#admission = admission
    const admitted = {
      id: record.id,
      requestId: record.requestId,
      keyId: caller.keyId,
      keyName: caller.key,
      team: caller.team,
      endpoint: endpoint.name,
      model: this.#model,
      stream: this.#stream,
      startedAtMs: clock.wallMs(),
    }
    ledger.admitted(admitted, () => this.#figures(this.#request.progress(), admission.promptEstimate))
  }

  /** Null while it does not wait for the limits of its caller. */
  place(ofClass: RequestClass): PlaceInLine | null {
    const wait = this.#turn.estimate()
    if (wait === null) return null
    const { ahead, waitMs } = wait
    const place = { position: ahead, aheadInKey: ahead, keysWaiting: null, p50Ms: waitMs, p90Ms: waitMs }
    return { ...place, class: ofClass, waitsFor: 'limit' }
  }

  /** So long all gateways together were asked for what it reserved. */
  get askedForMs(): number {
    return this.#admission?.askedForMs ?? 0
  }

  /** Tokens it is likely to take; none before it was admitted. */
  get expected(): { readonly input: number; readonly output: number } {
    return { input: this.#admission?.promptEstimate ?? 0, output: this.#admission?.outputReserved ?? 0 }
  }

  /** What of its answer is reserved. */
  get output(): number {
    return this.#admission?.outputReserved ?? Number.POSITIVE_INFINITY
  }

  more(output: number): number {
    return this.#admission?.topUp(output) ?? Number.POSITIVE_INFINITY
  }

  /** Tokens of the prompt where the host tells nothing of them: none unless it was read. */
  promptOf(end: EndCode, { sent, frames }: Progress): number {
    const isRead = end === '--' || frames > 0 || (sent && isReadAt(end))
    return isRead ? (this.#admission?.promptEstimate ?? 0) : 0
  }

  #figures(progress: Progress, promptEstimate: number): RequestFigures {
    const { host, modelAtHost: atHost, sent, frames } = progress
    const tokens = { input: sent ? promptEstimate : 0, cachedInput: 0, output: frames, reasoning: 0 }
    return {
      ...tokens,
      host,
      inputSource: sent ? 'estimated' : 'none',
      outputSource: frames > 0 ? 'counted' : 'none',
      costNanos: this.#parts.costOf({ asked: this.#model, atHost }, tokens),
    }
  }

  /** At its end, however it came. */
  settle(outcome: Outcome, atHost: string | null): void {
    this.#turn.leave()
    const { ledger, costOf, clock } = this.#parts
    const { tokens, sources, usageSource, end, status, model } = outcome
    if (this.#admission === null) return
    this.#admission.settle(countsAsRequest(end, tokens) ? tokens : null, {
      reported: usageSource === 'reported' && end === '--',
      blameless: isBlameless(end),
    })
    ledger.settled(outcome.id, {
      input: tokens.input,
      cachedInput: tokens.cachedInput,
      output: tokens.output,
      reasoning: tokens.reasoning,
      host: outcome.host,
      inputSource: sources.input,
      outputSource: sources.output,
      endedAtMs: clock.wallMs(),
      durationMs: outcome.durationMs,
      queueWaitMs: outcome.queueWaitMs,
      ttftMs: outcome.ttftMs,
      attempts: outcome.attempts,
      status,
      end,
      errorCode: outcome.errorCode,
      costNanos: model === null ? null : costOf({ asked: model, atHost }, tokens),
    })
  }
}

/**
 * Whether it counts against limits of requests: what was executed, and what got to a host and was ended by its client or
 * by a rule, or whoever sends what hosts refuse could send any number. The ledger's charges count the same way
 * (stores/usage-file.ts).
 */
export function countsAsRequest(end: EndCode, { input, output }: Pick<TokenCounts, 'input' | 'output'>): boolean {
  if (end === '--' || input + output > 0) return true
  return !endedByFleet(end) && wasAtHost(end)
}

/**
 * Whether it is not its owner's doing that less was used than was reserved. What ends in the line, or before a host had
 * the prompt, was kept from others like any other: the line can be filled on purpose.
 */
function isBlameless(end: EndCode): boolean {
  return endedBy(end) === 'operator' || (endedByFleet(end) && wasAtHost(end))
}

function wasAtHost(end: EndCode): boolean {
  return 'HFDL'.includes(end.charAt(1))
}

/**
 * Whether a prompt that was sent was read by then, although nothing came of it: by whom the client left, or we stopped,
 * or whose answer began and stopped. A host that broke is not paid for.
 */
function isReadAt(end: EndCode): boolean {
  const by = endedBy(end)
  return endedByClient(end) || by === 'operator' || (by === 'slow_host' && 'FD'.includes(end.charAt(1)))
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
