/** An attempt between a host of which the test plays every event and an owner that notes what it is told. */

import type { RoundTrip, RoundTripEvents, TransportFailure, TransportRequest } from '../../../src/hosts/transport.ts'
import { Meter } from '../../../src/metering/meter.ts'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { type AnswerHead, type AnswerReader, type AnswerSink, eventStream } from '../../../src/relay/answer-reader.ts'
import { Attempt, type AttemptFailure, type AttemptOwner } from '../../../src/relay/attempt.ts'
import type { AttemptLimits } from '../../../src/relay/attempt-limits.ts'
import { StreamAnswer } from '../../../src/relay/stream-answer.ts'
import { WholeAnswer } from '../../../src/relay/whole-answer.ts'
import { dialects } from '../../../src/wire/dialect.ts'
import { StreamProgress } from '../../../src/wire/stream-progress.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

/** All different, and far enough apart that one clock cannot be taken for another. */
export const limits: AttemptLimits = {
  connectMsMax: 100,
  sendMsMax: 2_000,
  firstContentMsMax: 3_000,
  contentGapMsMax: 8_000,
  frameMsMax: 20_000,
  totalMsMax: 60_000,
}

/** Those of an answer that shows no content until it is whole. */
export const wholeLimits: AttemptLimits = { ...limits, firstContentMsMax: null }

/** One round trip; it is over when the test says so, and an abort before there is a connection ends it at once. */
export class PlayedTrip implements RoundTrip {
  readonly request: TransportRequest
  readonly fresh: boolean
  readonly calls: ('pause' | 'resume' | 'abort')[] = []
  unsent = 0
  isOver = false
  #connected = false
  readonly #events: RoundTripEvents

  constructor(request: TransportRequest, events: RoundTripEvents, fresh: boolean) {
    this.request = request
    this.fresh = fresh
    this.#events = events
  }

  get aborted(): boolean {
    return this.calls.includes('abort')
  }

  pause(): void {
    this.calls.push('pause')
  }

  resume(): void {
    this.calls.push('resume')
  }

  abort(): void {
    this.calls.push('abort')
    if (!this.#connected) this.fail({ kind: 'aborted', code: 'ABORTED' })
  }

  readonly securing = false

  unsentBytes(): number {
    return this.unsent
  }

  connect(): void {
    this.#connected = true
    this.#events.connected()
  }

  head(contentType = eventStream, status = 200, headers: Readonly<Record<string, string>> = {}): void {
    this.#events.head(status, { 'content-type': contentType, ...headers })
  }

  data(text: string): void {
    this.#events.data(Buffer.from(text))
  }

  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.#events.end()
  }

  fail(failure: Partial<TransportFailure> = {}): void {
    if (this.isOver) return
    this.isOver = true
    this.#events.failed({
      kind: 'disconnected',
      code: 'UND_ERR_SOCKET',
      reusedSocket: false,
      answered: false,
      ...failure,
    })
  }
}

/** Notes, in order, everything that the attempt tells. */
export class NotingOwner implements AttemptOwner {
  readonly told: string[] = []
  readonly failures: AttemptFailure[] = []
  readonly faults: unknown[] = []
  /** What the client is sent. */
  sent = ''
  /** What `write` answers. */
  clientTakesMore = true
  reader: (head: AnswerHead, sink: AnswerSink) => AnswerReader
  readonly #meter: Meter

  constructor(meter: Meter) {
    this.#meter = meter
    this.reader = (head, sink) => this.#realReader(head, sink)
  }

  /** Everything but the phases and what was written. */
  get endings(): readonly string[] {
    return this.told.filter((what) => /^(?:completed|failed|fault|over)/.test(what))
  }

  enter(phase: string): void {
    this.told.push(`enter ${phase}`)
  }

  readerFor(head: AnswerHead, sink: AnswerSink): AnswerReader {
    return this.reader(head, sink)
  }

  contentBegan(): void {}

  commit(status: number): void {
    this.told.push(`commit ${status}`)
  }

  write(bytes: Buffer): boolean {
    this.sent += bytes.toString()
    return this.clientTakesMore
  }

  completed(last?: Buffer): void {
    this.sent += last?.toString() ?? ''
    this.told.push('completed')
  }

  failed(failure: AttemptFailure): void {
    this.failures.push(failure)
    this.told.push(`failed ${failure.failure.error.code}`)
  }

  fault(error: unknown): void {
    this.faults.push(error)
    this.told.push('fault')
  }

  over(): void {
    this.told.push('over')
  }

  #realReader(head: AnswerHead, sink: AnswerSink): AnswerReader {
    if (head.mediaType !== eventStream) {
      return new WholeAnswer({
        head,
        sink,
        holdBytesMax: 1_024,
        meter: this.#meter,
        isGenerated: false,
        onResponseId: null,
        receipt: null,
      })
    }
    const dialect = dialects.chat
    return new StreamAnswer({
      head,
      sink,
      dialect,
      meter: this.#meter,
      progress: new StreamProgress({ dialect, choices: 1, onUsage: () => {}, onResponseId: null }),
      frameBytesMax: 4_096,
      dropUsageFrame: false,
      errorsInText: false,
      headersSent: () => false,
      receipt: null,
    })
  }
}

interface Settings {
  fresh?: boolean
  /** What happens before the transport hands out the trip. */
  duringSend?: (attempt: Attempt) => void
}

/** An attempt that was started: it waits for its connection. */
export function attempted(
  attemptLimits: AttemptLimits = limits,
  { fresh = false, duringSend = () => {} }: Settings = {},
) {
  const clock = new FakeClock()
  const tally = new TokenTallies().tally('m', 'a', 'k')
  const meter = new Meter({ clock, tally, phases: new PhaseTimes(clock), stream: true })
  const owner = new NotingOwner(meter)
  const trips: PlayedTrip[] = []
  const transport = {
    send(request: TransportRequest, events: RoundTripEvents, options: { fresh: boolean }): RoundTrip {
      const trip = new PlayedTrip(request, events, options.fresh)
      trips.push(trip)
      duringSend(attempt)
      return trip
    },
  }
  const lease = { host: { transport }, firstToken: () => {} } as unknown as Lease
  const heldUpMs: number[] = []
  const events = { heldUp: (ms: number) => void heldUpMs.push(ms) }
  const parts = { lease, limits: attemptLimits, clock, owner, events, meter, fresh }
  const attempt = new Attempt({ ...parts, outlivesItsConnection: true })
  attempt.start({ method: 'POST', path: '/v1/chat/completions', headers: {}, body: Buffer.from('{}') })
  const trip = trips[0]!
  return { attempt, clock, owner, trip, trips, meter, heldUpMs }
}

/** The same, its request written. */
export function connected(attemptLimits: AttemptLimits = limits) {
  const played = attempted(attemptLimits)
  played.trip.connect()
  return played
}

/** The same, its answer begun as a stream. */
export function streaming() {
  const played = connected()
  played.trip.head()
  return played
}
