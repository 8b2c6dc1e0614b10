/** The spans of a request, made at its end from what is known of it then: nothing is kept while it runs. */
import {
  type Attributes,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { randomHex } from '../../base/ids.ts'
import type { AttemptOutcome, Outcome, TraceSpan } from '../../relay/outcome.ts'
import { hrTime } from './hr-time.ts'
import { attemptAttributes, requestAttributes, requestFailed, spanName } from './span-attributes.ts'

/** What all spans of this process have in common. */
export interface SpanOrigin {
  readonly resource: Resource
  /** Of the gateway. */
  readonly version: string
}

/** None where the gateway has no part in its trace, or its client does not record the trace. */
export function requestSpans(outcome: Outcome, origin: SpanOrigin): readonly ReadableSpan[] {
  const { trace } = outcome
  if (trace === null || trace.spanId === null || !trace.sampled) return []
  const spans = new SpansOfRequest(outcome, { ...trace, spanId: trace.spanId }, origin)
  const { readMs, limitMs } = outcome.spent
  if (limitMs >= limitWaitMs) spans.add('limit wait', { beganMs: readMs, endedMs: readMs + limitMs })
  for (const turn of turnsInLine(outcome)) spans.add('queue', turn)
  for (const [at, attempt] of outcome.attemptsMade.entries()) addAttempt(spans, outcome, attempt, at)
  return [spans.root(), ...spans.made]
}

/** Checks alone take less. */
const limitWaitMs = 10
/** An attempt that is made anew without a turn in line begins sooner after the one that failed. */
const turnMsMin = 1

function addAttempt(spans: SpansOfRequest, outcome: Outcome, attempt: AttemptOutcome, at: number): void {
  const { spanId, beganMs, endedMs, failure } = attempt
  if (spanId === null) return
  const number = outcome.attempts - outcome.attemptsMade.length + at + 1
  const attributes = attemptAttributes(outcome, attempt, number)
  const status = failure === null || failure === 'given_back' ? unset : failed
  spans.add('attempt', { beganMs, endedMs }, { spanId, kind: SpanKind.CLIENT, attributes, status })
  const { upstreamTtftMs, durationMs } = outcome
  if (upstreamTtftMs === null || at < outcome.attemptsMade.length - 1) return
  const firstMs = beganMs + upstreamTtftMs
  spans.add('first token', { beganMs, endedMs: firstMs }, { parentSpanId: spanId })
  spans.add('stream', { beganMs: firstMs, endedMs: durationMs }, { parentSpanId: spanId })
}

/** Ms since the request was accepted. */
interface Stretch {
  readonly beganMs: number
  readonly endedMs: number
}

/** From the checks to the first attempt, and from each that came to nothing to the next that was not made at once. */
function turnsInLine({ spent, attempts, attemptsMade, durationMs }: Outcome): Stretch[] {
  const { readMs, limitMs, queueMs } = spent
  const firstMs = readMs + limitMs
  if (attemptsMade.length === 0) return queueMs === 0 ? [] : [{ beganMs: firstMs, endedMs: durationMs }]
  // Where the first attempts are no longer known, neither are the waits before them.
  const turns: Stretch[] = []
  if (attempts === attemptsMade.length) turns.push({ beganMs: firstMs, endedMs: attemptsMade[0]?.beganMs ?? firstMs })
  for (const [at, { endedMs }] of attemptsMade.entries()) {
    const nextMs = attemptsMade[at + 1]?.beganMs ?? durationMs
    if (nextMs - endedMs >= turnMsMin) turns.push({ beganMs: endedMs, endedMs: nextMs })
  }
  return turns
}

const unset: SpanStatus = { code: SpanStatusCode.UNSET }
const failed: SpanStatus = { code: SpanStatusCode.ERROR }

interface SpanDetails {
  readonly spanId?: string
  /** The request's own by default. */
  readonly parentSpanId?: string
  readonly kind?: SpanKind
  readonly attributes?: Attributes
  readonly status?: SpanStatus
}

type OwnSpan = TraceSpan & { readonly spanId: string }

class SpansOfRequest {
  readonly made: ReadableSpan[] = []
  readonly #outcome: Outcome
  readonly #trace: OwnSpan
  readonly #origin: SpanOrigin

  constructor(outcome: Outcome, trace: OwnSpan, origin: SpanOrigin) {
    this.#outcome = outcome
    this.#trace = trace
    this.#origin = origin
  }

  root(): ReadableSpan {
    const { spanId, parentSpanId } = this.#trace
    const parent = parentSpanId === null ? null : { ...this.#context(parentSpanId), isRemote: true }
    const of = { spanId, kind: SpanKind.SERVER, attributes: requestAttributes(this.#outcome) } as const
    const status = requestFailed(this.#outcome) ? failed : unset
    return this.#span(spanName(this.#outcome), { beganMs: 0, endedMs: this.#outcome.durationMs }, parent, {
      ...of,
      status,
    })
  }

  add(name: string, stretch: Stretch, details: SpanDetails = {}): void {
    const { spanId = randomHex(8), kind = SpanKind.INTERNAL, attributes = {}, status = unset } = details
    const parent = this.#context(details.parentSpanId ?? this.#trace.spanId)
    this.made.push(this.#span(name, stretch, parent, { spanId, kind, attributes, status }))
  }

  #span(
    name: string,
    { beganMs, endedMs }: Stretch,
    parent: SpanContext | null,
    of: { spanId: string; kind: SpanKind; attributes: Attributes; status: SpanStatus },
  ): ReadableSpan {
    const { kind, attributes, status } = of
    const { resource, version } = this.#origin
    const context = this.#context(of.spanId)
    const at = (ms: number) => hrTime(this.#outcome.acceptedAtMs + ms)
    return {
      name,
      kind,
      spanContext: () => context,
      ...(parent !== null && { parentSpanContext: parent }),
      startTime: at(beganMs),
      endTime: at(endedMs),
      duration: hrTime(endedMs - beganMs),
      status,
      attributes,
      links: [],
      events: [],
      ended: true,
      resource,
      instrumentationScope: { name: 'lmx-gateway', version },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    }
  }

  /** Without the state: it goes to the hosts as it came, and says nothing to the receiver that may be shown. */
  #context(spanId: string): SpanContext {
    return { traceId: this.#trace.traceId, spanId, traceFlags: TraceFlags.SAMPLED }
  }
}
