/** W3C Trace Context (level 1): the headers by which a request that passes many programs stays one trace. */
import { looksLikeOurs } from '../base/our-secrets.ts'
import type { HeaderFields } from './headers.ts'

/** What a client sent of it, checked. */
export interface TraceContext {
  readonly traceId: string
  /** The span of the client that the request belongs to. */
  readonly parentSpanId: string
  /** The client records its part. */
  readonly sampled: boolean
  /** Of the tracing systems on the way, opaque to us; null where there is none, or none that could be passed on. */
  readonly state: string | null
}

/** Null where there is none that is valid: then a trace begins here. */
export function traceContextOf(headers: HeaderFields): TraceContext | null {
  const parent = parsedParent(headers['traceparent'])
  return parent === null ? null : { ...parent, state: parsedState(headers['tracestate']) }
}

/** The headers of a request that belongs to this span. */
export function traceHeaders(
  { traceId, sampled, state }: Omit<TraceContext, 'parentSpanId'>,
  spanId: string,
): Record<string, string> {
  const traceparent = `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
  return state === null ? { traceparent } : { traceparent, tracestate: state }
}

/** What is passed on, unchanged, by who takes no part in the trace. */
export function passedTraceHeaders(headers: HeaderFields): Readonly<Record<string, string>> {
  const traceparent = headers['traceparent']
  if (typeof traceparent !== 'string' || parsedParent(traceparent) === null) return none
  const tracestate = parsedState(headers['tracestate'])
  return tracestate === null ? { traceparent } : { traceparent, tracestate }
}

/**
 * A version after ours may have more behind a dash; its beginning is what ours is. Since that is passed on, it is visible
 * ASCII without a comma: two headers that were joined into one are none.
 */
const parentForm =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-[!-+\--~]*$)/
const parentChars = 55
const parentCharsMax = 512

function parsedParent(header: HeaderFields[string]): Omit<TraceContext, 'state'> | null {
  if (typeof header !== 'string' || header.length > parentCharsMax) return null
  const match = parentForm.exec(header)
  if (match === null) return null
  const [, version, traceId = '', parentSpanId = '', flags = ''] = match
  if (version === '00' && header.length !== parentChars) return null
  return { traceId, parentSpanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

const none: Readonly<Record<string, string>> = {}
const stateCharsMax = 512
const stateMembersMax = 32
const stateMember = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/

function parsedState(header: HeaderFields[string]): string | null {
  if (typeof header !== 'string' || header.length > stateCharsMax || looksLikeOurs(header)) return null
  const members = header
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
  const isGood =
    members.length > 0 && members.length <= stateMembersMax && members.every((member) => stateMember.test(member))
  return isGood ? header : null
}
