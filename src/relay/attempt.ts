/** One attempt at one host: sends the request, watches the clocks, and reads the answer with the reader of its form. */
import type { Clock } from '../base/clock.ts'
import { type ErrorCode, GatewayError } from '../base/errors.ts'
import type { RoundTrip, RoundTripEvents, TransportFailure, TransportRequest } from '../hosts/transport.ts'
import type { Meter } from '../metering/meter.ts'
import type { Lease } from '../queue/lease.ts'
import type { HeaderFields } from '../wire/headers.ts'
import { mediaType } from '../wire/media-type.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import { AttemptClocks } from './attempt-clocks.ts'
import type { AttemptLimits } from './attempt-limits.ts'
import type { RelayEvents } from './events.ts'
import { Failure, type FailureCause } from './failure.ts'
import { RefusedAnswer } from './refused-answer.ts'

/** How long the body of a refusal may take behind its head. */
const refusalMsMax = 2_000

/** A failure with what the retry rule must know of the attempt. */
export interface AttemptFailure {
  readonly failure: Failure
  /** Any byte of an answer had arrived. */
  readonly answered: boolean
  readonly reusedSocket: boolean
  /** The client library's own code of a broken connection, for the log; null where another reason ended it. */
  readonly code: string | null
  /** Since the request was written; null when it never was. */
  readonly sinceSentMs: number | null
}

/** What an attempt tells the request it belongs to. One of `completed`, `failed` and `fault` (which may follow `completed`, for the log alone), then `over`. */
export interface AttemptOwner {
  /** C connecting, H waiting for headers, F for content, D data. */
  enter(phase: 'C' | 'H' | 'F' | 'D'): void
  /** The reader for an answer that is neither a refusal nor unusable. */
  readerFor(head: AnswerHead, sink: AnswerSink): AnswerReader
  /** The first content was seen, before any of it is written. */
  contentBegan(): void
  commit(status: number, headers: Readonly<Record<string, string>>): void
  /** False when the client takes no more for now. */
  write(bytes: Buffer): boolean
  completed(last?: Buffer): void
  failed(failure: AttemptFailure): void
  /** The gateway itself failed on the answer. */
  fault(error: unknown): void
  /** The host is done with it, so nothing of it holds a slot any more. */
  over(attempt: Attempt): void
}

export interface AttemptParts {
  readonly lease: Lease
  readonly limits: AttemptLimits
  readonly clock: Clock
  readonly owner: AttemptOwner
  readonly events: Pick<RelayEvents, 'heldUp'>
  readonly meter: Pick<Meter, 'heldUp' | 'readOn'>
  /** On a connection of its own. */
  readonly fresh: boolean
  /** The host goes on computing when the connection is closed before the answer is whole. */
  readonly outlivesItsConnection: boolean
}

export class Attempt implements RoundTripEvents, AnswerSink {
  readonly #parts: AttemptParts
  readonly #clocks: AttemptClocks
  #trip: RoundTrip | null = null
  #reader: AnswerReader | null = null
  #answered = false
  #contentBegan = false
  /** Since when its client takes nothing; null while it does. */
  #pausedAtMs: number | null = null
  #wasPaused = false
  /** The owner knows how it ended; the host may still have to. */
  #settled = false
  /** It gave its whole answer, or said itself that it gives none. */
  #hostDone = false
  #broken: TransportFailure | null = null
  #sentAtMs: number | null = null

  constructor(parts: AttemptParts) {
    this.#parts = parts
    this.#clocks = new AttemptClocks(parts.clock, parts.limits, (code, message, cause) =>
      this.#expire(code, message, cause),
    )
  }

  get lease(): Lease {
    return this.#parts.lease
  }

  /** The host has been sent the request, or part of it. */
  get sent(): boolean {
    return this.#sentAtMs !== null
  }

  /** A client that did not keep up held it up at least once, so that its times say nothing of its host. */
  get wasPaused(): boolean {
    return this.#wasPaused
  }

  /** We closed the connection before the host was done, and the host goes on all the same. */
  get livesOn(): boolean {
    return this.#parts.outlivesItsConnection && this.sent && !this.#hostDone && this.#broken?.kind === 'aborted'
  }

  /** The request is handed on and not kept: its body may be large, and a stream long. */
  start(request: TransportRequest): void {
    const { lease, fresh, owner } = this.#parts
    owner.enter('C')
    this.#clocks.connecting(() => this.#connectExpired())
    this.#trip = lease.host.transport.send(request, this, { fresh })
    // The dispatch may have failed, and the request may have been aborted, before there was a trip to abort.
    if (this.#settled) this.#trip.abort()
  }

  /** The client left, or the gateway stops: nothing is told any more but `over`. */
  abort(): void {
    this.#settled = true
    this.#clocks.clear()
    this.#trip?.abort()
  }

  /** The client takes more again. */
  resume(): void {
    if (this.#pausedAtMs === null) return
    this.#heldUp()
    this.#clocks.resume()
    this.#trip?.resume()
  }

  // --- what the host does

  connected(): void {
    this.#sentAtMs = this.#parts.clock.now()
    try {
      this.#parts.owner.enter('H')
      this.#clocks.connected(() => this.#trip?.unsentBytes() ?? 0)
    } catch (error) {
      this.#fault(error)
    }
  }

  head(status: number, headers: HeaderFields): void {
    this.#answered = true
    if (this.#settled) return
    try {
      this.#head(status, headers)
    } catch (error) {
      this.#fault(error)
    }
  }

  #head(status: number, headers: HeaderFields): void {
    const head: AnswerHead = { status, headers, mediaType: mediaType(headers['content-type']) }
    if (status < 200 || status >= 300) {
      this.#reader = new RefusedAnswer(head, this)
      // The status says it; its explanation is not waited for.
      this.expectEnd(refusalMsMax)
    } else {
      const problem = unusable(head)
      if (problem !== null) {
        this.fail(failing('bad_answer', 'upstream_bad_response', problem))
        return
      }
      this.#reader = this.#parts.owner.readerFor(head, this)
      // What is not a stream shows no content until it is whole, whatever was asked for.
      if (!this.#reader.isStream) this.#clocks.noContent()
      this.#parts.owner.enter('F')
    }
  }

  data(chunk: Buffer): void {
    if (this.#settled) return
    try {
      this.#reader?.data(chunk)
    } catch (error) {
      this.#fault(error)
    }
  }

  end(): void {
    this.#endReader()
    this.#over()
  }

  failed(broken: TransportFailure): void {
    this.#broken = broken
    if (!this.#settled) this.#tellReader(failureOf(broken))
    this.#over()
  }

  // --- what the reader makes of it

  commit(status: number, headers: Readonly<Record<string, string>>): void {
    this.#parts.owner.commit(status, headers)
    this.#parts.owner.enter('D')
  }

  write(bytes: Buffer): void {
    if (this.#parts.owner.write(bytes) || this.#pausedAtMs !== null) return
    this.#pausedAtMs = this.#parts.clock.now()
    this.#wasPaused = true
    this.#parts.meter.heldUp()
    this.#clocks.pause()
    this.#trip?.pause()
  }

  content(nowMs: number): void {
    if (!this.#contentBegan) {
      this.#contentBegan = true
      this.#parts.lease.firstToken()
      this.#parts.owner.contentBegan()
    }
    this.#clocks.content(nowMs)
  }

  frameBegun(): void {
    this.#clocks.frameBegun()
  }

  frameWhole(): void {
    this.#clocks.frameWhole()
  }

  expectEnd(withinMs: number): void {
    this.#clocks.expectEnd(withinMs, () => {
      this.#endReader()
      this.#trip?.abort()
    })
  }

  complete(last?: Buffer): void {
    if (this.#settled) return
    this.#settled = true
    this.#hostDone = true
    this.#clocks.answered()
    // A client that has yet to take the last bytes gets them from us: the host must be able to end its part.
    this.resume()
    this.#parts.owner.completed(last)
  }

  fail(failure: Failure): void {
    if (this.#settled) return
    this.#settled = true
    this.#hostDone = failure.told
    this.#clocks.clear()
    const broken = this.#broken
    this.#parts.owner.failed({
      failure,
      answered: this.#answered || broken?.answered === true,
      reusedSocket: broken?.reusedSocket ?? false,
      code: broken?.code ?? null,
      sinceSentMs: this.#sentAtMs === null ? null : this.#parts.clock.now() - this.#sentAtMs,
    })
    // What still comes is of no use to anybody; the trip may have ended already.
    this.#trip?.abort()
  }

  #endReader(): void {
    try {
      if (!this.#settled) this.#reader?.end()
    } catch (error) {
      this.#fault(error)
    }
  }

  /** A fault of ours must neither vanish in the HTTP client's callbacks nor be taken for one of the host. */
  #fault(error: unknown): void {
    this.#settled = true
    this.#parts.owner.fault(error)
    this.#trip?.abort()
  }

  #connectExpired(): void {
    const broken = { reusedSocket: false, answered: false }
    this.#broken =
      this.#trip?.securing === true
        ? { ...broken, kind: 'tls', code: 'ERR_TLS_HANDSHAKE_TIMEOUT' }
        : { ...broken, kind: 'connect', code: 'UND_ERR_CONNECT_TIMEOUT' }
    this.#tellReader(failureOf(this.#broken))
    this.#trip?.abort()
  }

  #expire(code: ErrorCode, message: string, cause: 'timed_out' | 'client_slow' = 'timed_out'): void {
    if (this.#settled) return
    this.#tellReader(failing(cause, code, message))
    this.#trip?.abort()
  }

  #tellReader(failure: Failure): void {
    try {
      if (this.#reader === null) this.fail(failure)
      else this.#reader.broke(failure)
    } catch (fault) {
      this.#fault(fault)
    }
  }

  #heldUp(): void {
    if (this.#pausedAtMs === null) return
    this.#parts.events.heldUp(this.#parts.clock.now() - this.#pausedAtMs)
    this.#parts.meter.readOn()
    this.#pausedAtMs = null
  }

  #over(): void {
    this.#heldUp()
    this.#clocks.clear()
    this.#parts.owner.over(this)
  }
}

/** Why an answer of a good status cannot be relayed, or null. */
function unusable({ headers, mediaType: type }: AnswerHead): string | null {
  const encoding = headers['content-encoding'] ?? ''
  if (encoding !== '' && encoding !== 'identity') return 'The host compressed its answer although it was asked not to.'
  return type === 'text/html' ? 'The host answered with a web page.' : null
}

function failureOf({ kind, code }: TransportFailure): Failure {
  switch (kind) {
    case 'connect':
      if (code === 'UND_ERR_CONNECT_TIMEOUT') return connectTimedOut()
      return failing('never_connected', 'no_upstream_available', 'The host cannot be reached.')
    case 'tls':
      return failing('never_connected', 'upstream_tls_error', 'The TLS handshake with the host failed.')
    case 'protocol':
      return failing('bad_answer', 'upstream_protocol_error', 'The host did not speak correct HTTP.')
    case 'disconnected':
      return failing(
        'connection_lost',
        'upstream_disconnected',
        'The host closed the connection before its answer was complete.',
      )
    case 'aborted':
      return failing('aborted', 'upstream_disconnected', 'The connection to the host was given up.')
  }
}

function connectTimedOut(): Failure {
  return failing('connect_timed_out', 'no_upstream_available', 'The host did not accept the connection in time.')
}

function failing(cause: FailureCause, code: ErrorCode, message: string): Failure {
  return new Failure(cause, new GatewayError(code, message))
}
