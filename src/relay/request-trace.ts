/** A request's place in a trace: taken over from its client or begun here, and what each host is told of it. */
import { randomHex } from '../base/ids.ts'
import type { HeaderFields } from '../wire/headers.ts'
import { passedTraceHeaders, traceContextOf, traceHeaders } from '../wire/trace-context.ts'
import type { TraceSpan } from './outcome.ts'

/** Gives each request its place; null where it belongs to no trace. */
export interface Tracing {
  begin(headers: HeaderFields): TraceSpan | null
}

/** The client decides whether its trace is recorded; of those that begin here, this share is. `chance`: 0 up to 1. */
export function makeTracing({ sampleRatio, chance }: { sampleRatio: number; chance: () => number }): Tracing {
  return {
    begin(headers) {
      const client = traceContextOf(headers)
      const spanId = randomHex(spanIdBytes)
      if (client !== null) return { ...client, spanId }
      const sampled = chance() < sampleRatio
      return { traceId: randomHex(traceIdBytes), spanId, parentSpanId: null, sampled, state: null }
    },
  }
}

/** Without a part of ours: the trace of a client is known by its id, so that its requests are found, and hosts continue it. */
export const passedOn: Tracing = {
  begin(headers) {
    const client = traceContextOf(headers)
    return client === null ? null : { ...client, spanId: null }
  },
}

/** The span of one attempt, and the headers that tell its host of it. */
export interface AttemptTrace {
  /** Null where the gateway has no part in the trace. */
  readonly spanId: string | null
  readonly headers: Readonly<Record<string, string>>
}

export function attemptTrace(trace: TraceSpan | null, client: HeaderFields): AttemptTrace {
  if (trace === null || trace.spanId === null) return { spanId: null, headers: passedTraceHeaders(client) }
  const spanId = randomHex(spanIdBytes)
  return { spanId, headers: traceHeaders(trace, spanId) }
}

const traceIdBytes = 16
const spanIdBytes = 8
