/** What a request owes: its reservation under the limits of its caller, and its row in the ledger. */
import type { RequestClass } from '../base/request-class.ts'
import type { RequestFigures } from '../metering/ledger-store.ts'
import type { Cover } from '../metering/meter.ts'
import type { TokenCounts } from '../metering/usage.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { PlaceInLine } from '../wire/heartbeat.ts'
import { leastOutputTokens, surestOutputTokens } from '../wire/output-limit.ts'
import type { RequestBody } from '../wire/request-body.ts'
import { type Admission, type Caller, type ExpectedLength, type LimitTurn, noLimitTurn } from './caller.ts'
import { type EndCode, endedBy, endedByClient, endedByFleet, type Outcome } from './outcome.ts'
import type { RelayParts } from './relay-parts.ts'

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

export interface AccountTurn {
  readonly requestId: string
  readonly progress: () => Progress
  readonly class: RequestClass
  readonly patienceMs: number
  /** As `AdmissionTurn.estimated`. */
  estimated?(length: ExpectedLength): void
  admitted(): void
  /** It was refused with a GatewayError, or something failed that must not. */
  failed(error: unknown): void
}

type AccountParts = Pick<RelayParts, 'ledger' | 'clock' | 'costOf'>

export class RequestAccount {
  readonly #parts: AccountParts
  readonly #caller: Caller
  readonly #endpoint: Endpoint
  readonly #id: string
  #admission: Admission | null = null
  #turn: LimitTurn = noLimitTurn

  constructor(parts: AccountParts, { caller, endpoint, id }: { caller: Caller; endpoint: Endpoint; id: string }) {
    this.#parts = parts
    this.#caller = caller
    this.#endpoint = endpoint
    this.#id = id
  }

  /** Reserves what the request may use, at once or after a wait for the limits of its caller, and opens its row. */
  admit(body: RequestBody, turn: AccountTurn): void {
    const { outputLimits } = body
    const { maxOutputTokens } = this.#caller
    const surest = surestOutputTokens(outputLimits, this.#endpoint.outputLimit)
    const ask = {
      model: body.model,
      endpoint: this.#endpoint.name,
      body: body.bytes,
      maxOutputTokens: least(surest, maxOutputTokens),
      leastOutputTokens: least(leastOutputTokens(outputLimits), maxOutputTokens),
      choices: body.generations,
    }
    this.#turn = this.#caller.admit(ask, {
      class: turn.class,
      patienceMs: turn.patienceMs,
      estimated: (length) => turn.estimated?.(length),
      admitted: (admission) => {
        try {
          this.#open(admission, body, turn)
          turn.admitted()
        } catch (error) {
          turn.failed(error)
        }
      },
      refused: (error) => turn.failed(error),
    })
  }

  #open(admission: Admission, { model, stream }: RequestBody, { requestId, progress }: AccountTurn): void {
    const { ledger, clock } = this.#parts
    const { keyId, key, team } = this.#caller
    this.#admission = admission
    const admitted = {
      id: this.#id,
      requestId,
      keyId,
      keyName: key,
      team,
      endpoint: this.#endpoint.name,
      model,
      stream,
      startedAtMs: clock.wallMs(),
    }
    ledger.admitted(admitted, () => this.#figures(model, progress(), admission.promptEstimate))
  }

  /** Null while it does not wait for the limits of its caller. */
  place(ofClass: RequestClass): PlaceInLine | null {
    const wait = this.#turn.estimate()
    if (wait === null) return null
    const { ahead, waitMs } = wait
    const place = { position: ahead, aheadInKey: ahead, keysWaiting: null, p50Ms: waitMs, p90Ms: waitMs }
    return { ...place, class: ofClass, waitsFor: 'limit' }
  }

  /** Tokens it is likely to take; none before it was admitted. */
  get expected(): { readonly input: number; readonly output: number } {
    return { input: this.#admission?.promptEstimate ?? 0, output: this.#admission?.outputReserved ?? 0 }
  }

  /** What of its answer is reserved; undefined before it was admitted. */
  get cover(): Cover | undefined {
    const admission = this.#admission
    if (admission === null) return undefined
    return { output: admission.outputReserved, more: (output) => admission.topUp(output) }
  }

  /** Tokens of the prompt where the host tells nothing of them: none unless it was read. */
  promptOf(end: EndCode, { sent, frames }: Progress): number {
    const isRead = end === '--' || frames > 0 || (sent && isReadAt(end))
    return isRead ? (this.#admission?.promptEstimate ?? 0) : 0
  }

  #figures(asked: string, progress: Progress, promptEstimate: number): RequestFigures {
    const { host, modelAtHost: atHost, sent, frames } = progress
    const tokens = { input: sent ? promptEstimate : 0, cachedInput: 0, output: frames, reasoning: 0 }
    return {
      ...tokens,
      host,
      inputSource: sent ? 'estimated' : 'none',
      outputSource: frames > 0 ? 'counted' : 'none',
      costNanos: this.#parts.costOf({ asked, atHost }, tokens),
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
      ...tokens,
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
