/** The life of one relayed request: read, checked, queued, attempted, answered; it ends in exactly one Outcome. */
import type { Timer } from '../base/clock.ts'
import type { ErrorCode, GatewayError } from '../base/errors.ts'
import type { Lease } from '../queue/lease.ts'
import type { Place } from '../queue/slot-request.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { wantsReceipt } from '../wire/receipt.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import type { Attempt, AttemptFailure } from './attempt.ts'
import { ClientLeft } from './body-reader.ts'
import type { Caller, ExpectedLength } from './caller.ts'
import { ClientAnswer } from './client-answer.ts'
import type { Exchange, ExchangeListener } from './exchange.ts'
import { tellFailure } from './failed-attempt.ts'
import { Failover } from './failover.ts'
import type { FailureCause } from './failure.ts'
import { asGatewayError } from './gateway-fault.ts'
import { withoutKey } from './host-error.ts'
import { Inbound, type InboundOwner } from './inbound.ts'
import type { LastFailure } from './line-refusal.ts'
import { type LineOwner, LineTurns, type Queued } from './line-turns.ts'
import type { LiveRequest } from './live-request-schema.ts'
import { clientLeftStatus, type EndCode, endCode } from './outcome.ts'
import { OwnWork, untimedWork, type Work } from './own-work.ts'
import { classOf } from './priority.ts'
import { promptOf } from './prompt-of.ts'
import type { RelayParts } from './relay-parts.ts'
import { type AccountedRequest, type Progress, RequestAccount } from './request-account.ts'
import { type AttemptedRequest, RequestAttempts } from './request-attempts.ts'
import { RequestMarks } from './request-marks.ts'
import { RequestRecord } from './request-record.ts'
import type { RequestRoute } from './request-route.ts'
import { routeOf } from './route.ts'
import { usageRecord } from './usage-record.ts'

const noBytes = Buffer.alloc(0)

/** Who has it among those that wait or run. */
export interface RequestOwner {
  /** How many those are. */
  readonly requestsLive: number
  /** Its client is gone: `clientLeft` is called, at once or a few turns of the event loop later. */
  left(request: RelayedRequest): void
  /** Called once, with the outcome told. */
  settled(request: RelayedRequest): void
}

/** It is itself what its parts tell and ask, so that nothing is made for that. */
export class RelayedRequest implements ExchangeListener, InboundOwner, AttemptedRequest, AccountedRequest, LineOwner {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  readonly caller: Caller
  readonly record: RequestRecord
  readonly account: RequestAccount
  readonly marks: RequestMarks
  readonly failover: Failover
  readonly #parts: RelayParts
  readonly #owner: RequestOwner
  readonly #work: Work
  readonly #line: LineTurns
  readonly #attempts: RequestAttempts
  readonly #answer: ClientAnswer
  /** Null before it was read, and once nothing of it is to be sent again. */
  #body: RequestBody | null = null
  #stream = false
  #route: RequestRoute | null = null
  #inbound: Inbound | null = null
  #queued: Queued | null = null
  /** Its error less the host's key, fit to be shown. */
  #lastFailure: LastFailure | null = null
  /** The client is gone and the answer is read to its end all the same. */
  #reading: { readonly end: EndCode; readonly patience: Timer } | null = null
  #settled = false

  constructor(parts: RelayParts, endpoint: Endpoint, exchange: Exchange, caller: Caller, owner: RequestOwner) {
    this.#work = parts.timesWork ? new OwnWork(parts.clock, exchange.acceptedAtMs) : untimedWork
    this.#parts = parts
    this.#owner = owner
    this.endpoint = endpoint
    this.exchange = exchange
    this.caller = caller
    this.record = new RequestRecord(endpoint, exchange, caller.key, parts.clock, parts.tracing.begin(exchange.headers))
    this.account = new RequestAccount(parts, this)
    this.marks = new RequestMarks(endpoint, () => this.#body)
    this.failover = new Failover(parts.retryBudget, (host) => parts.lethal.dropped(host, this.marks))
    this.#line = new LineTurns(parts, this)
    this.#attempts = new RequestAttempts(parts, this)
    this.#answer = new ClientAnswer(parts, this)
    exchange.stallMsMax = parts.options.clientStallMsMax
    exchange.listener = this
  }

  // --- the client's side

  /** Out of the line at once: else a slot that one leaver frees would go through all who left with it, in one turn. */
  onLeave(): void {
    this.#line.leave()
    this.#owner.left(this)
  }

  onTaken(): void {
    this.#settle('--', null)
  }

  onDrain(): void {
    this.#attempts.underWay?.resume()
  }

  onStall(): void {
    this.#clientGone(`c${this.record.phase}`, this.record.status)
  }

  // --- what is known of it

  /** Content is on its way to the client. */
  get streaming(): boolean {
    return this.record.phase === 'D' && this.#stream && !this.#settled
  }

  /** No host has it yet. */
  get waiting(): boolean {
    return this.#attempts.underWay === null && !this.#settled
  }

  get id(): string {
    return this.record.id
  }

  /** As it is now. */
  get live(): LiveRequest {
    return this.record.live(this.caller, this.account.expected.input, this.#attempts.progress())
  }

  run(): void {
    this.#inbound = new Inbound(this.#parts, this.#work, this)
    this.#inbound.begin()
  }

  bodyCame(body: RequestBody): void {
    if (this.#settled) this.#releaseBody()
    else this.#queue(body)
  }

  bodyFailed(error: unknown): void {
    if (error instanceof ClientLeft) this.onLeave()
    else this.fault(error)
  }

  /** Whoever asks may not. */
  refuse(error: GatewayError): void {
    this.record.phase = 'A'
    this.fail(error)
  }

  /** Whatever was thrown: an error meant for the client, or a fault of the gateway. */
  fault(error: unknown): void {
    this.fail(asGatewayError(error, this.#parts))
  }

  /** Ends it with an error: as an answer of its own, or as the last frame of a stream that had begun. */
  fail(error: GatewayError, cause: FailureCause | null = null): void {
    // What is whole is not taken back while its last bytes leave.
    if (this.#settled || this.record.phase === 'L') return
    this.#line.leave()
    this.#attempts.underWay?.abort()
    if (this.#reading !== null) return this.#settle(this.#reading.end, null)
    this.#answer.fail(error)
    this.#settle(endCode(error.code, this.record.phase, cause), error)
  }

  // --- the attempt's side

  enter(phase: 'C' | 'H' | 'F' | 'D'): void {
    this.record.phase = phase
  }

  readerFor(head: AnswerHead, sink: AnswerSink): AnswerReader {
    const reader = this.#attempts.reader(head, sink)
    this.#answer.comes(reader.isStream && this.#stream)
    return reader
  }

  commit(status: number, headers: Readonly<Record<string, string>>): void {
    this.#answer.begin()
    this.marks.bytesGo()
    // Nothing is sent again. Its bytes stay counted, since the connection may still hold them.
    this.#body = null
    if (this.#reading === null) this.#answer.head(status, headers)
    // After the headers, which tell of the failover too.
    this.failover.tell(this.#parts.events, this.record.model, 'ok')
  }

  contentBegan(): void {
    const first = this.record.contentBegan()
    if (first !== null) this.#parts.events.firstToken(first)
  }

  write(bytes: Buffer): boolean {
    return this.#reading !== null || this.exchange.write(bytes)
  }

  completed(last?: Buffer): void {
    if (this.#settled) return
    this.#attempts.completed()
    if (this.#reading === null) {
      this.exchange.end(last)
      // It has ended well when its last bytes were taken, which is told later; a fault until here is one of the answer.
      this.record.phase = 'L'
    } else this.#settle(this.#reading.end, null)
  }

  failed(failed: AttemptFailure): void {
    if (this.#settled) return
    const { lease } = this.#attempts.speaking
    const { host } = lease
    const { cause, verdict } = failed.failure
    tellFailure(this.#parts, { endpoint: this.endpoint, bytes: this.#body?.bytes ?? noBytes }, lease, failed)
    const error = withoutKey(failed.failure.error, host.apiKey)
    this.#lastFailure = { cause, error }
    const next = this.#reading === null ? this.failover.next(host, failed, this.#situation()) : 'none'
    // A kept connection that was gone when we wrote says nothing about the host.
    if (next !== 'fresh_connection') host.health.attemptEnded(verdict)
    if (next === 'none') this.fail(error, cause)
    else this.#goOn(next, error.code)
  }

  over(attempt: Attempt): void {
    this.#attempts.over(attempt)
  }

  // --- the way to an attempt

  #queue(body: RequestBody): void {
    const { caller, exchange } = this
    this.#body = body
    this.#stream = body.stream
    this.record.asked(body)
    this.record.phase = 'A'
    this.#work.turnTo('route')
    const ofClass = classOf(exchange.headers, caller.class)
    const route = routeOf(body, this.endpoint, caller, this.#parts)
    this.#route = route
    this.record.model = this.#parts.catalog.knows(route.model) ? route.model : null
    this.record.class = ofClass
    this.#parts.lethal.check(this.marks)
    // A wish that nobody understands is refused before a host is asked for anything.
    wantsReceipt(exchange.headers)
    this.#answer.beat(body, () => this.account.place(ofClass) ?? this.#line.place(ofClass))
    this.#work.turnTo('limit')
    this.account.admit(body, ofClass, this.#line.patienceMs(ofClass))
    this.#work.turnTo(null)
  }

  // --- the side of its account and of the line

  progress(): Progress {
    return this.#attempts.progress()
  }

  estimated(length: ExpectedLength): void {
    this.#route?.estimated(length)
  }

  admitted(): void {
    const route = this.#route
    const ofClass = this.record.class
    if (route === null || ofClass === null) throw new Error('a request was admitted before it was read')
    this.exchange.setHeaders(this.caller.limitHeaders())
    this.#parts.retryBudget.deposit()
    const { holder: id, key: name, weight } = this.caller
    const source = { headers: this.exchange.headers, prompts: this.#parts.prompts, holder: id, marks: this.marks }
    const queued = {
      label: this.record,
      route,
      class: ofClass,
      holder: { id, name, weight },
      tokens: this.account.expected,
      storeWaitMs: this.account.askedForMs,
      prompt: promptOf(this.#body, this.endpoint, source),
    }
    this.#parts.lethal.check(this.marks)
    this.#askForSlot(queued, 'newcomer')
  }

  granted(lease: Lease, waitMs: number): void {
    if (!this.exchange.left) this.record.granted(lease, waitMs)
    try {
      this.#startAttempt(lease, false)
    } catch (error) {
      lease.release()
      this.fault(error)
    }
  }

  /** Somebody more urgent waits for the slot: it begins anew with another one, as long as it has time and nothing of it was sent. */
  giveBack(lease: Lease): boolean {
    const queued = this.#queued
    if (queued === null || this.#settled || this.#answer.begun || !this.#hasHosts()) return false
    if (!this.#line.isPatient(queued.class) || !this.#attempts.mayGiveBack(lease)) return false
    this.#answer.waitsAgain()
    const attempt = this.#attempts.giveBack()
    this.failover.gaveBack()
    // Before the slot is free, so that both are in the line when it is given to the next.
    this.#askForSlot(queued, 'given_back')
    attempt.abort()
    return true
  }

  #askForSlot(queued: Queued, place: Place): void {
    const within = this.#work.turnTo('queue')
    this.#queued = queued
    this.record.phase = 'Q'
    this.#line.ask(queued, place, this.failover, this.#lastFailure)
    this.#work.turnTo(within)
  }

  #startAttempt(lease: Lease, fresh: boolean): void {
    const body = this.#body
    // Whoever left gets nothing started, also where nobody has taken leave of it yet.
    if (body === null || this.#settled || this.exchange.left) return lease.release()
    const within = this.#work.turnTo('send')
    this.#attempts.start(lease, body, fresh)
    this.#work.turnTo(within)
  }

  #goOn(next: 'fresh_connection' | 'in_line', failure: ErrorCode): void {
    this.#answer.waitsAgain()
    const { lease } = this.#attempts.drop(failure)
    if (next === 'fresh_connection') this.#startAttempt(lease, true)
    else if (this.#queued !== null) this.#askForSlot(this.#queued, 'sent_back')
  }

  #hasHosts(): boolean {
    return (this.#queued?.route.candidates(this.failover.excluded).length ?? 0) > 0
  }

  #situation() {
    const { repeatable } = this.endpoint
    const { requestsLive } = this.#owner
    return { contentSent: this.#answer.begun, repeatable, requestsLive, elsewhere: () => this.#hasHosts() }
  }

  // --- the end

  clientLeft(): void {
    this.#clientGone(`C${this.record.phase}`, clientLeftStatus)
  }

  #clientGone(end: EndCode, status: number): void {
    if (this.#settled || this.#reading !== null) return
    this.record.status = status
    this.#attempts.left()
    this.#answer.stopBeats()
    this.#line.leave()
    const { underWay, mustBeReadOn } = this.#attempts
    if (underWay !== null && mustBeReadOn) return this.#readOn(end, underWay)
    underWay?.abort()
    this.#settle(end, null)
  }

  /** The host does not survive being cut off: its answer is read to the end, which the slot is held for, and thrown away. */
  #readOn(end: EndCode, attempt: Attempt): void {
    const { clock, options } = this.#parts
    const patience = clock.after(options.abandonedMsMax, () => {
      attempt.abort()
      this.#settle(end, null)
    })
    this.record.left()
    this.#reading = { end, patience }
    attempt.resume()
  }

  #settle(end: EndCode, error: GatewayError | null): void {
    if (this.#settled) return
    this.#settled = true
    this.#work.turnTo('settle')
    this.#answer.stopBeats()
    this.#reading?.patience.cancel()
    this.#releaseBody()
    if (end !== '--') this.failover.tell(this.#parts.events, this.record.model, 'failed')
    try {
      const outcome = this.record.outcome(end, error, this.#attempts.metered(end, this.#answer.begun))
      this.account.settle(outcome, this.record.lease?.model ?? null)
      this.#parts.events.requestEnded(outcome)
      const { usage, clock } = this.#parts
      if (usage !== null) usage(usageRecord(outcome, clock.wallMs()))
      this.#work.tell(this.#parts.events)
    } finally {
      // Whatever fails in telling of it, the end of the gateway must not wait for it.
      this.#owner.settled(this)
    }
  }

  #releaseBody(): void {
    this.#body = null
    this.#inbound?.release()
  }
}
