/** What one attempt consists of: the request as its host gets it, its clocks, and the reader that fits the answer. */
import { GatewayError } from '../base/errors.ts'
import { clocksOf } from '../hosts/clocks.ts'
import type { TransportRequest } from '../hosts/transport.ts'
import type { Meter } from '../metering/meter.ts'
import type { Lease } from '../queue/lease.ts'
import { dialects } from '../wire/dialect.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { headersToHost } from '../wire/headers.ts'
import { type RequestBody, spliceBody } from '../wire/request-body.ts'
import { StreamProgress } from '../wire/stream-progress.ts'
import { type AnswerHead, type AnswerReader, type AnswerSink, eventStream } from './answer-reader.ts'
import { AssembledAnswer } from './assembled-answer.ts'
import { type AttemptLimits, attemptLimits } from './attempt-limits.ts'
import type { Caller } from './caller.ts'
import type { Exchange } from './exchange.ts'
import type { Receipt } from './receipt.ts'
import type { RelayParts } from './relay-parts.ts'
import type { AttemptTrace } from './request-trace.ts'
import { StreamAnswer } from './stream-answer.ts'
import { WholeAnswer } from './whole-answer.ts'

/** What it is an attempt at. */
export interface PlannedRequest {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  readonly caller: Caller
}

export class AttemptPlan {
  /** The host is asked for a stream. */
  readonly streamed: boolean
  /** Its frames tell when something was generated; that of a transcription, for one, does not. */
  readonly showsContent: boolean
  /** The client did not ask for a stream: it gets one whole answer, put together from it. */
  readonly assembles: boolean
  readonly #parts: RelayParts
  readonly #request: PlannedRequest
  readonly #lease: Lease
  readonly #trace: AttemptTrace
  readonly #asksUsage: boolean
  readonly #choices: number

  constructor(parts: RelayParts, request: PlannedRequest, lease: Lease, trace: AttemptTrace, body: RequestBody) {
    const { endpoint } = request
    this.#parts = parts
    this.#request = request
    this.#lease = lease
    this.#trace = trace
    // The two endpoints whose streams hold all that their answers do are those with usage on request.
    this.assembles = !body.stream && endpoint.usageOnRequest && lease.host.streamUpstream
    this.streamed = body.stream || this.assembles
    this.showsContent = this.streamed && endpoint.dialect !== 'none'
    this.#asksUsage = endpoint.usageOnRequest && this.streamed && !body.usageAsked
    this.#choices = body.choices
  }

  /** Their pieces share one stream. */
  get hasSeveralAnswers(): boolean {
    return this.#choices > 1
  }

  /** Whether the host goes on computing when its connection is closed before the answer is whole. */
  get outlivesItsConnection(): boolean {
    const finishes = this.#lease.host.kind?.finishesAbandoned ?? 'never'
    return finishes === 'always' || (finishes === 'whole' && !this.streamed)
  }

  request(body: RequestBody): TransportRequest {
    const { endpoint, exchange, caller } = this.#request
    const { host, model } = this.#lease
    const { outputLimit: own } = endpoint
    const tokensMax = caller.maxOutputTokens
    const outputLimit = own === null || tokensMax === null ? null : { own, tokensMax }
    return {
      method: 'POST',
      path: host.basePath + endpoint.path,
      headers: headersToHost(exchange.headers, endpoint, {
        requestId: exchange.requestId,
        userAgent: this.#parts.userAgent,
        apiKey: host.apiKey,
        trace: this.#trace.headers,
      }),
      body: spliceBody(body, { model, askUsage: this.#asksUsage, askStream: this.assembles, outputLimit }),
    }
  }

  limits(body: RequestBody): AttemptLimits {
    const parts = this.#parts
    const lease = this.#lease
    const clocks = clocksOf(parts.options, lease.host.clocks, parts.modelClocks[lease.model])
    const { showsContent } = this
    return attemptLimits(body, { lease, clocks, showsContent, streamed: showsContent && !this.assembles })
  }

  reader(head: AnswerHead, sink: AnswerSink, meter: Meter, receipt: Receipt | null): AnswerReader {
    const { endpoint, exchange, caller } = this.#request
    const { options, storedResponses } = this.#parts
    const lease = this.#lease
    const { frameBytesMax, assembledBytesMax } = options
    const onResponseId = endpoint.keepsAnswers ? (id: string) => storedResponses.set(caller, id, lease.host) : null
    if (!this.#isStream(head)) {
      if (exchange.committed) {
        throw new GatewayError('upstream_bad_response', 'The host answered a stream with something else.')
      }
      const isGenerated = endpoint.outputLimit !== null
      const holdBytesMax = options.answerHoldBytesMax
      return new WholeAnswer({ head, sink, holdBytesMax, meter, isGenerated, onResponseId, receipt })
    }
    const dialect = dialects[endpoint.dialect]
    const progress = new StreamProgress({
      dialect,
      choices: this.#choices,
      onUsage: meter.report.bind(meter),
      onResponseId,
      onBadFrame: () => meter.badFrame(),
    })
    const errorsInText = lease.host.kind?.errorsInText === true && endpoint.usageOnRequest
    const common = { head, sink, dialect, meter, progress, frameBytesMax, errorsInText, receipt }
    if (this.assembles) return new AssembledAnswer({ ...common, assembledBytesMax })
    const headersSent = (): boolean => exchange.committed
    return new StreamAnswer({ ...common, dropUsageFrame: this.#asksUsage, headersSent })
  }

  /** A stream that was asked for is one whatever its host calls it, unless it says that it is JSON. */
  #isStream({ mediaType }: AnswerHead): boolean {
    return mediaType === eventStream || (this.showsContent && !isJson(mediaType))
  }
}

function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType.endsWith('+json')
}
