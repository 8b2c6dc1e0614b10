/** What is known of a request while it lives; the headers of its answer and its one Outcome are made from it. */
import type { Clock } from '../base/clock.ts'
import type { ErrorCode, GatewayError } from '../base/errors.ts'
import { randomId } from '../base/ids.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Metered } from '../metering/meter.ts'
import type { Lease, ToldWait } from '../queue/lease.ts'
import type { RequestLabel } from '../queue/slot-request.ts'
import type { Endpoint, EndpointName } from '../wire/endpoints.ts'
import { type SpeedReceipt, untoldReceipt } from '../wire/receipt.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { Caller } from './caller.ts'
import type { FailoverPhase, FirstToken } from './events.ts'
import type { Exchange } from './exchange.ts'
import type { LiveRequest } from './live-request-schema.ts'
import {
  type EndCode,
  endToEndTokensPerSecondOf,
  type Outcome,
  type Phase,
  type TraceSpan,
  tokensPerSecondOf,
} from './outcome.ts'
import { phaseNames } from './phase-names.ts'
import type { Progress } from './request-account.ts'
import { RequestTimeline } from './request-timeline.ts'

const idChars = 22
const askedCharsMax = 64

export class RequestRecord implements RequestLabel {
  /** Made by the gateway, never twice. */
  readonly id = randomId(idChars)
  /** What the client got, or 499; 0 while nothing was sent. */
  status = 0
  attempts = 0
  /** Null until it was read. */
  class: RequestClass | null = null
  /** Over all its turns in the line; null until a slot was granted. */
  queueWaitMs: number | null = null
  /** The name the client asked for, once it is a known one. */
  model: string | null = null
  /** That of the last attempt. */
  lease: Lease | null = null
  /** Its place in a trace; null where it is not traced. */
  readonly trace: TraceSpan | null
  /** When the client left, where its answer is read on. */
  #leftAtMs: number | null = null
  #askedModel: string | null = null
  #toldWait: ToldWait | null = null
  #stream = false
  /** Since it was accepted; null until the first content of a stream is on its way to its client. */
  #ttftMs: number | null = null
  readonly #endpoint: Endpoint
  readonly #exchange: Exchange
  readonly #key: string
  readonly #clock: Clock
  readonly #timeline: RequestTimeline

  constructor(endpoint: Endpoint, exchange: Exchange, key: string, clock: Clock, trace: TraceSpan | null) {
    this.#endpoint = endpoint
    this.#exchange = exchange
    this.#key = key
    this.#clock = clock
    this.trace = trace
    this.#timeline = new RequestTimeline(exchange.acceptedAtMs)
  }

  get phase(): Phase {
    return this.#timeline.phase
  }

  set phase(phase: Phase) {
    this.#timeline.enter(phase, this.#clock.now())
  }

  /** The client left and its answer is read on. */
  left(): void {
    this.#leftAtMs = this.#clock.now()
    this.#timeline.stop(this.#leftAtMs)
  }

  /** The lease it was granted is used; `spanId` names it in a trace. */
  attemptBegan({ host, model, reason, record: decision }: Lease, spanId: string | null): void {
    this.attempts++
    this.#timeline.attemptBegan(
      { host: host.name, kind: host.kind?.name ?? null, model, reason, decision, spanId },
      this.#clock.now(),
    )
  }

  /** The first content of the answer is there. Returns what is to be told of it; null where nobody is shown it as it comes. */
  contentBegan(): FirstToken | null {
    const nowMs = this.#clock.now()
    this.#timeline.contentBegan(nowMs)
    if (!this.#stream || this.lease === null || this.#leftAtMs !== null) return null
    const ttftMs = nowMs - this.#exchange.acceptedAtMs
    this.#ttftMs = ttftMs
    const { id, trace, model, class: ofClass } = this
    return { id, trace, model, host: this.lease.host.name, class: ofClass, ttftMs, parts: this.#timeline.toFirstToken }
  }

  /** The one under way came to nothing and the request goes on. */
  attemptLost(failure: ErrorCode | 'given_back'): void {
    this.#timeline.attemptLost(failure, this.#clock.now())
  }

  /** The client's own where it sent one; it may repeat. */
  get requestId(): string {
    return this.#exchange.requestId
  }

  get endpoint(): EndpointName {
    return this.#endpoint.name
  }

  asked({ model, stream }: RequestBody): void {
    this.#askedModel = model.slice(0, askedCharsMax)
    this.#stream = stream
  }

  granted(lease: Lease, waitMs: number): void {
    this.lease = lease
    // Known by now, if it was not when no host had been asked yet.
    this.model ??= lease.asked
    this.#toldWait ??= lease.told
    this.queueWaitMs = (this.queueWaitMs ?? 0) + waitMs
  }

  /** Where an answer came from; `failover` where its attempt was not the first. */
  routeHeaders(failover: FailoverPhase | null): Record<string, string> {
    if (this.lease === null) return {}
    const { host, model, reason } = this.lease
    return {
      'x-lmx-gateway-host': host.name,
      'x-lmx-gateway-model': encodeURI(model.toWellFormed()),
      'x-lmx-gateway-queue-ms': String(Math.round(this.queueWaitMs ?? 0)),
      'x-lmx-gateway-attempts': String(this.attempts),
      'x-lmx-gateway-reason': failover === null ? reason : `retry_${failover}`,
    }
  }

  /** As it is now. `promptTokens`: as estimated. */
  live({ keyId, team }: Caller, promptTokens: number, { host, frames }: Progress): LiveRequest {
    const nowMs = this.#clock.now()
    const { phase, sinceMs } = this.#timeline
    const phaseMs = nowMs - sinceMs
    const waitedMs = phase === 'Q' ? (this.queueWaitMs ?? 0) + phaseMs : this.queueWaitMs
    return {
      id: this.id,
      requestId: this.requestId,
      endpoint: this.endpoint,
      key: this.#key,
      keyId,
      team,
      class: this.class,
      model: this.model,
      stream: this.#stream,
      phase: phaseNames[phase],
      phaseMs: Math.round(phaseMs),
      host,
      ageMs: Math.round(nowMs - this.#exchange.acceptedAtMs),
      queueWaitMs: waitedMs === null ? null : Math.round(waitedMs),
      promptTokens,
      outputTokens: frames,
      attempts: this.attempts,
      clientLeft: this.#leftAtMs !== null,
    }
  }

  outcome(end: EndCode, error: GatewayError | null, metered: Metered): Outcome {
    const { acceptedAtMs, requestId } = this.#exchange
    const { tokens, usageSource, sources } = metered
    const isTold = this.#tellsSpeed
    const nowMs = this.#clock.now()
    const endedAtMs = this.#leftAtMs ?? nowMs
    const errorCode = error?.code ?? null
    const { spent, attempts } = this.#timeline.ended(endedAtMs, errorCode)
    return {
      id: this.id,
      requestId,
      endpoint: this.#endpoint.name,
      model: this.model,
      askedModel: this.#askedModel,
      host: this.lease?.host.name ?? null,
      key: this.#key,
      class: this.class,
      stream: this.#stream,
      status: this.status,
      end,
      errorCode,
      attempts: this.attempts,
      acceptedAtMs: this.#clock.wallMs() - (nowMs - acceptedAtMs),
      spent,
      attemptsMade: attempts,
      trace: this.trace,
      queueWaitMs: this.queueWaitMs,
      toldWait: this.#toldWait,
      ttftMs: this.#ttftMs,
      upstreamTtftMs: this.#upstreamTtftMs,
      timePerOutputTokenMs: isTold ? metered.timePerOutputTokenMs : null,
      timePerOutputTokenMsLeast: isTold ? metered.timePerOutputTokenMsLeast : null,
      durationMs: endedAtMs - acceptedAtMs,
      tokens,
      usageSource,
      sources,
    }
  }

  /** Of its speed, as it is now; `metered` is null where the answer goes out before it is whole. */
  receipt(metered: Metered | null): SpeedReceipt {
    const { queueWaitMs: queueMs, attempts } = this
    const begun = { ...untoldReceipt, queueMs, host: this.lease?.host.name ?? null, attempts }
    if (metered === null) return begun
    const { tokens, usageSource } = metered
    const timePerOutputTokenMs = this.#tellsSpeed ? metered.timePerOutputTokenMs : null
    const durationMs = this.#clock.now() - this.#exchange.acceptedAtMs
    return {
      ...begun,
      ttftMs: this.#ttftMs,
      upstreamTtftMs: this.#upstreamTtftMs,
      inputTokens: tokens.input,
      cachedInputTokens: tokens.cachedInput,
      outputTokens: tokens.output,
      tokensPerSecond: tokensPerSecondOf(timePerOutputTokenMs),
      timePerOutputTokenMs,
      endToEndTokensPerSecond: endToEndTokensPerSecondOf(tokens.output, durationMs),
      durationMs,
      usage: usageSource,
    }
  }

  get #upstreamTtftMs(): number | null {
    return this.#ttftMs === null ? null : this.#ttftMs - this.#timeline.lastBeganMs
  }

  /** Of a stream that showed its client nothing, what was still read of it is no speed. */
  get #tellsSpeed(): boolean {
    return !this.#stream || this.#ttftMs !== null
  }
}
