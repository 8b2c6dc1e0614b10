/** The attempts of one request, one after the other: the one under way, what it was planned to be, and what it brings. */
import type { ErrorCode } from '../base/errors.ts'
import type { Metered } from '../metering/meter.ts'
import type { Lease } from '../queue/lease.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { SpeedReceipt } from '../wire/receipt.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import { AttemptPlan } from './attempt-plan.ts'
import type { Caller } from './caller.ts'
import type { Exchange } from './exchange.ts'
import { type EndCode, endedByClient } from './outcome.ts'
import { type ReceiptSource, receiptFor } from './receipt.ts'
import type { RelayParts } from './relay-parts.ts'
import type { Progress, RequestAccount } from './request-account.ts'
import type { RequestMarks } from './request-marks.ts'
import { RequestMeter } from './request-meter.ts'
import type { RequestRecord } from './request-record.ts'
import { attemptTrace } from './request-trace.ts'

/** Whose attempts they are. */
export interface AttemptedRequest extends AttemptOwner {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  readonly caller: Caller
  readonly record: RequestRecord
  readonly marks: RequestMarks
  readonly account: RequestAccount
}

/** So that bulk work is done in the end, however much else there is. */
const timesGivenBackMax = 3

export class RequestAttempts implements ReceiptSource {
  readonly #parts: RelayParts
  readonly #request: AttemptedRequest
  readonly #meter: RequestMeter
  #plan: AttemptPlan | null = null
  #underWay: Attempt | null = null
  /** Its host had to load the model first. */
  #loads = false
  /** It brings one answer, which comes whole: its time and its tokens belong together. */
  #isWhole = false
  #timesGivenBack = 0

  constructor(parts: RelayParts, request: AttemptedRequest) {
    this.#parts = parts
    this.#request = request
    this.#meter = new RequestMeter(parts, request.account, request.caller.key)
  }

  get underWay(): Attempt | null {
    return this.#underWay
  }

  /** That which has something to tell. */
  get speaking(): Attempt {
    if (this.#underWay === null) throw new Error('an attempt spoke before it was made')
    return this.#underWay
  }

  /** `fresh`: on a connection of its own. */
  start(lease: Lease, body: RequestBody, fresh: boolean): void {
    const request = this.#request
    const { record, marks } = request
    // It may have waited while others were sent that are the same.
    if (!fresh) this.#parts.lethal.check(marks)
    const trace = attemptTrace(record.trace, request.exchange.headers)
    record.attemptBegan(lease, trace.spanId)
    const plan = new AttemptPlan(this.#parts, request, lease, trace, body)
    this.#plan = plan
    const { clock, events } = this.#parts
    const attempt = new Attempt({
      lease,
      limits: plan.limits(body),
      clock,
      owner: request,
      events,
      meter: this.#meter.of(lease, plan, record.model),
      fresh,
      outlivesItsConnection: plan.outlivesItsConnection,
    })
    this.#underWay = attempt
    this.#loads = lease.host.mustLoad(lease.model)
    this.#isWhole = !plan.streamed && body.generations === 1
    if (!plan.showsContent) lease.assignment.goesUnseen()
    events.attemptBegan(lease.host.name)
    attempt.start(plan.request(body))
  }

  reader(head: AnswerHead, sink: AnswerSink): AnswerReader {
    const { lease } = this.speaking
    const plan = this.#plan
    if (plan === null) throw new Error('an attempt was made without a plan')
    const { exchange, record } = this.#request
    const meter = this.#meter.of(lease, plan, record.model)
    return plan.reader(head, sink, meter, receiptFor(exchange.headers, this))
  }

  receipt(whole: boolean): SpeedReceipt {
    return this.#request.record.receipt(whole ? this.#meteredSoFar() : null)
  }

  /** Of an answer that ends well now. */
  #meteredSoFar(): Metered {
    return this.#meter.soFar(this.#request.account.promptOf('--', this.progress()))
  }

  /** The one under way went well: its host is told, while the lease is held. */
  completed(): void {
    const { lease, wasPaused } = this.speaking
    const { host } = lease
    this.#meter.generated()
    lease.succeeded()
    host.health.attemptEnded({ kind: 'ok' })
    const shown = this.#meter.shown(lease)
    const isTimed = this.#isWhole && !this.#loads && !wasPaused
    const answered = {
      firstTokenMs: this.#loads ? null : shown.firstTokenMs,
      timePerOutputTokenMs: wasPaused ? null : shown.timePerOutputTokenMs,
      tokens: shown.tokens,
      outputTokens: shown.outputTokens,
      wholeMs: isTimed ? this.#parts.clock.now() - lease.grantedAtMs : null,
    }
    host.answered(answered, lease.grantedAtMs)
    lease.assignment.answered(answered)
  }

  /** The one under way brought nothing and another may follow. What it was metered for is over, and who leaves now leaves nobody. */
  drop(failure: ErrorCode | 'given_back'): Attempt {
    this.#meter.discard()
    this.#request.record.attemptLost(failure)
    const attempt = this.speaking
    this.#underWay = null
    return attempt
  }

  /** Whether the slot is free as soon as its attempt is given up, which can be made again. */
  mayGiveBack(lease: Lease): boolean {
    if (this.#underWay?.lease !== lease || this.#timesGivenBack >= timesGivenBackMax) return false
    const stopsAtOnce = lease.host.onDisconnect === 'cancel' && this.#plan?.outlivesItsConnection === false
    return stopsAtOnce && this.#request.endpoint.repeatable
  }

  /** As `drop`; the attempt is to be aborted. */
  giveBack(): Attempt {
    this.#timesGivenBack++
    return this.drop('given_back')
  }

  /** The host is done with it: its slot is free, unless the lease goes on with an attempt on a fresh connection. */
  over(attempt: Attempt): void {
    if (attempt !== this.#underWay && attempt.lease === this.#underWay?.lease) return
    if (attempt.livesOn) this.#parts.zombies.keep(attempt.lease)
    else attempt.lease.release()
  }

  /** The client is gone. */
  left(): void {
    this.#underWay?.lease.leave()
  }

  /** The answer must be read to its end although its client left: the host does not survive being cut off. */
  get mustBeReadOn(): boolean {
    const attempt = this.#underWay
    if (attempt === null) return false
    const isUnderWay = attempt.sent && this.#request.record.phase !== 'L'
    return isUnderWay && attempt.lease.host.onDisconnect === 'drain'
  }

  /**
   * An answer that is put together before it is sent is of no use until then, however much of it was generated; but who
   * leaves before that has had the host work for it.
   */
  metered(end: EndCode, contentSent: boolean): Metered {
    const keptBack = this.#plan?.assembles === true && !contentSent && !endedByClient(end)
    return this.#meter.end(this.#request.account.promptOf(end, this.progress()), keptBack)
  }

  progress(): Progress {
    const attempt = this.#underWay
    const lease = attempt?.lease
    const sent = attempt?.sent ?? false
    return { host: lease?.host.name ?? null, modelAtHost: lease?.model ?? null, sent, frames: this.#meter.counted }
  }
}
