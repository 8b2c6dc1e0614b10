/** The life of one relayed request: read, checked, queued, attempted, answered; it ends in exactly one Outcome. */
import { GatewayError } from '../base/errors.ts'
import type { Route } from '../hosts/model-catalog.ts'
import { Meter, type Metered, nothingMetered } from '../metering/meter.ts'
import type { Leave } from '../queue/dispatcher.ts'
import type { Lease } from '../queue/lease.ts'
import { dialects } from '../wire/dialect.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { errorBody } from '../wire/error-answer.ts'
import { headersToHost } from '../wire/headers.ts'
import { type RequestBody, spliceBody } from '../wire/request-body.ts'
import { StreamProgress } from '../wire/stream-progress.ts'
import { type AnswerHead, type AnswerReader, type AnswerSink, eventStream } from './answer-reader.ts'
import { Attempt, type AttemptFailure, type AttemptOwner } from './attempt.ts'
import { attemptLimits } from './attempt-limits.ts'
import { ClientLeft, type Exchange } from './exchange.ts'
import { withoutKey } from './host-error.ts'
import { readInbound } from './inbound.ts'
import { type EndCode, endCode, type Outcome, type Phase } from './outcome.ts'
import type { RelayParts } from './relay-parts.ts'
import { retryRule } from './retry-rule.ts'
import { StreamAnswer } from './stream-answer.ts'
import { WholeAnswer } from './whole-answer.ts'

/** 499 is what nginx and Caddy log for a client that left; it is never sent. */
const clientLeftStatus = 499
const noBytes = Buffer.alloc(0)
const askedCharsMax = 64

export interface RelayedRequestSettings {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  /** Name of the caller's key. */
  readonly key: string
  /** Called once, with the outcome told. */
  readonly onSettled: () => void
}

export class RelayedRequest implements AttemptOwner {
  readonly #parts: RelayParts
  readonly #endpoint: Endpoint
  readonly #exchange: Exchange
  readonly #key: string
  readonly #onSettled: () => void
  readonly #hostsTried = new Set<unknown>()
  #phase: Phase = 'R'
  #body: RequestBody | null = null
  #heldBytes = 0
  #route: Route | null = null
  #leaveLine: Leave | null = null
  #attempt: Attempt | null = null
  #meter: Meter | null = null
  #attempts = 0
  #queueWaitMs: number | null = null
  #status = 0
  #settled = false
  /** The answer under way is a stream, so that an error can be told inside it. */
  #sendsFrames = false
  /** How the last attempt came about, where it was not the first. */
  #failover: 'connect' | 'reused_socket' | null = null

  constructor(parts: RelayParts, { endpoint, exchange, key, onSettled }: RelayedRequestSettings) {
    this.#parts = parts
    this.#endpoint = endpoint
    this.#exchange = exchange
    this.#key = key
    this.#onSettled = onSettled
    exchange.onLeave = () => this.#clientLeft()
    exchange.onDrain = () => this.#attempt?.resume()
    exchange.onStall = () => this.#clientGone(`c${this.#phase}`, this.#status)
  }

  /** Content is on its way to the client. */
  get streaming(): boolean {
    return this.#phase === 'D' && this.#body?.stream === true && !this.#settled
  }

  /** Never rejects: whatever goes wrong becomes the request's one outcome. */
  async run(): Promise<void> {
    try {
      const { bytes, body } = await readInbound(this.#exchange, this.#endpoint, this.#parts)
      this.#heldBytes = bytes
      if (this.#settled) this.#releaseBody()
      else this.#queue(body)
    } catch (error) {
      if (error instanceof ClientLeft) this.#clientLeft()
      else this.fault(error)
    }
  }

  /** Whatever was thrown: an error meant for the client, or a fault of the gateway. */
  fault(error: unknown): void {
    this.fail(asGatewayError(error, this.#parts))
  }

  /** Ends it with an error: as an answer of its own, or as the last frame of a stream that had begun. */
  fail(error: GatewayError): void {
    if (this.#settled) return
    this.#leaveLine?.()
    this.#attempt?.abort()
    const { anthropic, dialect } = this.#endpoint
    if (this.#exchange.committed) {
      this.#exchange.cut(this.#sendsFrames ? dialects[dialect].errorFrame(errorBody(error, anthropic)) : '')
    } else {
      this.#status = error.kind.status
      this.#exchange.setHeaders(this.#routeHeaders())
      this.#exchange.fail(error, anthropic)
    }
    this.#settle(endCode(error.code, this.#phase), error)
  }

  // --- the attempt's side

  enter(phase: 'C' | 'H' | 'F' | 'D'): void {
    this.#phase = phase
  }

  readerFor(head: AnswerHead, sink: AnswerSink): AnswerReader {
    const { lease } = this.#current()
    const meter = this.#meterOf(lease)
    const { storedResponses, options } = this.#parts
    const onResponseId = this.#endpoint.keepsAnswers ? (id: string) => storedResponses.set(id, lease.host) : null
    const onUsage = meter.report.bind(meter)
    this.#sendsFrames = head.mediaType === eventStream
    if (!this.#sendsFrames) {
      return new WholeAnswer({ head, sink, holdBytesMax: options.answerHoldBytesMax, onUsage, onResponseId })
    }
    const dialect = dialects[this.#endpoint.dialect]
    return new StreamAnswer({
      head,
      sink,
      dialect,
      meter,
      progress: new StreamProgress({ dialect, choices: this.#body?.choices ?? 1, onUsage, onResponseId }),
      frameBytesMax: options.frameBytesMax,
      dropUsageFrame: this.#asksUsage(),
    })
  }

  commit(status: number, headers: Readonly<Record<string, string>>): void {
    this.#status = status
    this.#dropBody()
    this.#exchange.head(status, { ...headers, ...this.#routeHeaders() })
    // After the headers, which tell of the failover too.
    this.#tellFailover('ok')
  }

  write(bytes: Buffer): boolean {
    return this.#exchange.write(bytes)
  }

  completed(last?: Buffer): void {
    if (this.#settled) return
    this.#exchange.end(last)
    this.#settle('--', null)
  }

  failed(failure: AttemptFailure): void {
    if (this.#settled) return
    const { lease } = this.#current()
    // What the request itself got wrong is no failure of the host.
    if (failure.error.kind.status >= 500) this.#parts.events.attemptFailed(lease.host.name, failure.error.code)
    if (failure.kind === 'connect') this.#parts.onConnectFailed(lease.host, failure.code ?? '')
    if (this.#exchange.committed || !this.#retry(lease, failure)) {
      this.fail(withoutKey(failure.error, lease.host.apiKey))
    }
  }

  over(attempt: Attempt): void {
    // A lease lives on when its attempt was repeated on a fresh connection.
    if (attempt !== this.#attempt && attempt.lease === this.#attempt?.lease) return
    attempt.lease.release()
  }

  // --- the way to an attempt

  #queue(body: RequestBody): void {
    this.#body = body
    this.#phase = 'A'
    this.#route = this.#routeOf(body)
    this.#phase = 'Q'
    this.#askForSlot(this.#route, false)
  }

  #routeOf(body: RequestBody): Route {
    const route = this.#parts.catalog.route(body.model, this.#endpoint.name)
    if (!this.#endpoint.keepsAnswers || body.previousResponseId === null) return route
    const keeper = this.#parts.storedResponses.get(body.previousResponseId)
    if (keeper === undefined) {
      throw new GatewayError(
        'not_found',
        'previous_response_id names no response that a host of this gateway is known to keep.',
        { param: 'previous_response_id' },
      )
    }
    return { model: route.model, candidates: () => route.candidates().filter(({ host }) => host === keeper) }
  }

  #askForSlot(route: Route, returning: boolean): void {
    this.#phase = 'Q'
    this.#leaveLine = this.#parts.dispatcher.ask({
      route,
      excluded: this.#hostsTried,
      returning,
      granted: (lease, waitMs) => {
        this.#queueWaitMs = (this.#queueWaitMs ?? 0) + waitMs
        this.#hostsTried.add(lease.host)
        this.#startOrRelease(lease)
      },
      refused: (error) => this.fail(error),
    })
  }

  #startOrRelease(lease: Lease): void {
    try {
      this.#startAttempt(lease, false)
    } catch (error) {
      lease.release()
      this.fault(error)
    }
  }

  #startAttempt(lease: Lease, fresh: boolean): void {
    if (this.#body === null || this.#settled) {
      lease.release()
      return
    }
    this.#attempts++
    this.#meter?.end()
    this.#meter = null
    const { userAgent, clock, options } = this.#parts
    const headers = headersToHost(this.#exchange.headers, this.#endpoint, {
      requestId: this.#exchange.requestId,
      userAgent,
      apiKey: lease.host.apiKey,
    })
    this.#attempt = new Attempt({
      lease,
      fresh,
      clock,
      owner: this,
      limits: attemptLimits(this.#body, { lease, options, showsContent: this.#showsContent() }),
    })
    this.#meterOf(lease)
    this.#attempt.start({
      method: 'POST',
      path: lease.host.basePath + this.#endpoint.path,
      headers,
      body: spliceBody(this.#body, { model: lease.model, askUsage: this.#asksUsage() }),
    })
  }

  #retry(lease: Lease, failure: AttemptFailure): boolean {
    const decision = retryRule({
      ...failure,
      fresh: this.#failover === 'reused_socket',
      hostsTried: this.#hostsTried.size,
    })
    switch (decision) {
      case 'none':
        return false
      case 'fresh_connection':
        this.#failover = 'reused_socket'
        this.#startAttempt(lease, true)
        return true
      case 'other_host': {
        const route = this.#route
        if (route === null || !route.candidates().some(({ host }) => !this.#hostsTried.has(host))) return false
        this.#failover = 'connect'
        this.#askForSlot(route, true)
        return true
      }
    }
  }

  /** A stream whose frames tell when something was generated; that of a transcription, for one, does not. */
  #showsContent(): boolean {
    return this.#body?.stream === true && this.#endpoint.dialect !== 'none'
  }

  #asksUsage(): boolean {
    return this.#endpoint.usageOnRequest && this.#body?.stream === true && !this.#body.usageAsked
  }

  #meterOf(lease: Lease): Meter {
    const { clock, phases, tallies } = this.#parts
    this.#meter ??= new Meter({
      clock,
      phases,
      tally: tallies.tally(this.#route?.model ?? lease.model, lease.host.name, this.#key),
      stream: this.#showsContent(),
    })
    return this.#meter
  }

  #current(): Attempt {
    if (this.#attempt === null) throw new Error('an attempt spoke before it was made')
    return this.#attempt
  }

  // --- the end

  #clientLeft(): void {
    this.#clientGone(`C${this.#phase}`, clientLeftStatus)
  }

  #clientGone(end: EndCode, status: number): void {
    if (this.#settled) return
    this.#status = status
    this.#leaveLine?.()
    this.#attempt?.abort()
    this.#settle(end, null)
  }

  #settle(end: EndCode, error: GatewayError | null): void {
    this.#settled = true
    this.#releaseBody()
    if (end !== '--') this.#tellFailover('failed')
    this.#parts.events.requestEnded(this.#outcome(end, error, this.#meter?.end() ?? nothingMetered))
    this.#onSettled()
  }

  #outcome(end: EndCode, error: GatewayError | null, metered: Metered): Outcome {
    const { acceptedAtMs, requestId } = this.#exchange
    const { tokens, usageSource, firstContentAtMs, timePerOutputTokenMs } = metered
    return {
      requestId,
      endpoint: this.#endpoint.name,
      model: this.#route?.model ?? null,
      askedModel: this.#body?.model.slice(0, askedCharsMax) ?? null,
      host: this.#attempt?.lease.host.name ?? null,
      key: this.#key,
      stream: this.#body?.stream ?? false,
      status: this.#status,
      end,
      errorCode: error?.code ?? null,
      attempts: this.#attempts,
      queueWaitMs: this.#queueWaitMs,
      ttftMs: firstContentAtMs === null ? null : firstContentAtMs - acceptedAtMs,
      timePerOutputTokenMs,
      durationMs: this.#parts.clock.now() - acceptedAtMs,
      tokens,
      usageSource,
    }
  }

  #routeHeaders(): Record<string, string> {
    if (this.#attempt === null) return {}
    const { host, model, reason } = this.#attempt.lease
    return {
      'x-lmx-gateway-host': host.name,
      'x-lmx-gateway-model': encodeURI(model.toWellFormed()),
      'x-lmx-gateway-queue-ms': String(Math.round(this.#queueWaitMs ?? 0)),
      'x-lmx-gateway-attempts': String(this.#attempts),
      'x-lmx-gateway-reason': this.#failover === null ? reason : `retry_${this.#failover}`,
    }
  }

  #tellFailover(result: 'ok' | 'failed'): void {
    if (this.#failover === null || this.#route === null) return
    this.#parts.events.failedOver(this.#route.model, this.#failover, result)
    this.#failover = null
  }

  /** Once an answer has begun nothing is sent again. The bytes stay counted, since the connection may still hold them. */
  #dropBody(): void {
    if (this.#body !== null) this.#body = { ...this.#body, bytes: noBytes }
  }

  #releaseBody(): void {
    this.#dropBody()
    this.#parts.budget.give(this.#heldBytes)
    this.#heldBytes = 0
  }
}

function asGatewayError(error: unknown, parts: RelayParts): GatewayError {
  if (error instanceof GatewayError) return error
  parts.log('error', 'a request failed inside the gateway', {
    error: error instanceof Error ? error.message : 'unknown',
  })
  return new GatewayError('internal_error', 'The gateway failed on this request.')
}
