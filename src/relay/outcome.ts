/** How a request ended: exactly one of these per request, the source of its log line, its metrics and its ledger row. */
import type { DecisionRecord } from '../balancing/events.ts'
import { type ErrorCode, errorCatalogue } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { HostKindName } from '../hosts/kinds/host-kind.ts'
import type { TokenCounts, TokenSources, UsageSource } from '../metering/usage.ts'
import type { EndpointName } from '../wire/endpoints.ts'
import type { FailureCause } from './failure.ts'

/**
 * Who ended it and in which phase, after HAProxy's termination codes.
 * Who: C the client left, c the client was too slow, U a host broke, u a host was too slow, G refused by a rule,
 * R a resource of ours ran out, A an operator or a shutdown, - normal.
 * Phase: R reading the request, A checks, Q line, C connect, H headers, F first content, D data, L last bytes, - none.
 */
export type EndCode = `${Who}${Phase}` | '--'

/** Who ended a request, by the first letter of its end code. */
const enders = {
  C: 'left',
  c: 'slow_client',
  U: 'host',
  u: 'slow_host',
  G: 'rule',
  R: 'gateway',
  A: 'operator',
} as const
type Who = keyof typeof enders

/** Null where all was well. */
export function endedBy(end: EndCode): (typeof enders)[Who] | null {
  const who = end.charAt(0)
  return isWho(who) ? enders[who] : null
}

function isWho(letter: string): letter is Who {
  return Object.hasOwn(enders, letter)
}

export function endedByClient(end: EndCode): boolean {
  const by = endedBy(end)
  return by === 'left' || by === 'slow_client'
}

export function endedByHost(end: EndCode): boolean {
  const by = endedBy(end)
  return by === 'host' || by === 'slow_host'
}

/** A host's doing, or that of the gateway and of who operates it. */
export function endedByFleet(end: EndCode): boolean {
  const by = endedBy(end)
  return endedByHost(end) || by === 'gateway' || by === 'operator'
}

/** What the fleet failed to do, whoever ended it: also an answer that met a bound, and a rule that could not be looked up. */
export function isFleetsFault({ end, errorCode }: Pick<Outcome, 'end' | 'errorCode'>): boolean {
  const by = endedBy(end)
  if (by === 'rule') return errorCode !== null && errorCatalogue[errorCode].status >= 500
  return endedByHost(end) || by === 'gateway'
}

/** Its answer had begun: what was sent cannot be taken back. */
export function hadBegun(end: EndCode): boolean {
  return end.endsWith('D') || end.endsWith('L')
}

/** Logged for a client that left, as nginx and Caddy do; it is never sent. */
export const clientLeftStatus = 499

/** Where the time of a request went, in ms; the parts add up to its `durationMs`. */
export interface TimeSpent {
  /** From its head until its body was read. */
  readonly readMs: number
  /** Checks, and the wait for the limits of its caller. */
  readonly limitMs: number
  /** All its turns in the line. */
  readonly queueMs: number
  /** Attempts that came to nothing, or were given back. */
  readonly lostMs: number
  /** Of the last attempt: until the head of the host's answer. */
  readonly hostMs: number
  /** From there to the first content, or to the whole of an answer that shows none before. */
  readonly prefillMs: number
  /** From there until the answer was whole. */
  readonly contentMs: number
  /** Until the client had taken the last bytes. */
  readonly lastMs: number
}

/** The parts that end with the first token. */
export type FirstTokenParts = Omit<TimeSpent, 'contentMs' | 'lastMs'>

/** One attempt at a host. Times are ms since the request was accepted; null where it never came to that. */
export interface AttemptOutcome {
  readonly host: string
  /** What runs there; null where that is not known. */
  readonly kind: HostKindName | null
  /** Name of the model there. */
  readonly model: string
  /** Why the host was chosen. */
  readonly reason: string
  /** Of which hosts, by what was known of each; null where nobody looks. */
  readonly decision: DecisionRecord | null
  /** Of its span; null where the request is not traced. */
  readonly spanId: string | null
  readonly beganMs: number
  readonly sentMs: number | null
  readonly headMs: number | null
  readonly endedMs: number
  /** How it failed; `given_back` for a more urgent request; null where it ended with its request. */
  readonly failure: ErrorCode | 'given_back' | null
}

/** Its place in a trace, as W3C Trace Context has it: ids in lower-case hex. */
export interface TraceSpan {
  readonly traceId: string
  /** Null where the gateway has no part in the trace of its client and passes it on as it came. */
  readonly spanId: string | null
  /** Of the client; null where the trace begins here. */
  readonly parentSpanId: string | null
  readonly sampled: boolean
  /** `tracestate` of the client, passed on as it came. */
  readonly state: string | null
}

export interface Outcome {
  /** Made by the gateway, never twice. */
  readonly id: string
  /** The client's own where it sent one; it may repeat. */
  readonly requestId: string
  readonly endpoint: EndpointName
  /** The name the client asked for where it is a known one, else null: a client cannot invent label values. */
  readonly model: string | null
  /** The name as the client wrote it, at most 64 characters: for the log alone, so that a wrong one can be found. */
  readonly askedModel: string | null
  /** Name of the host of the last attempt; null when there was none. */
  readonly host: string | null
  /** Name of the caller's key; `anonymous` without keys. */
  readonly key: string
  /** Null where it was refused before that was known. */
  readonly class: RequestClass | null
  readonly stream: boolean
  /** What the client got; 499 when it left first. */
  readonly status: number
  readonly end: EndCode
  readonly errorCode: ErrorCode | null
  readonly attempts: number
  /** When it was accepted: Unix ms. */
  readonly acceptedAtMs: number
  readonly spent: TimeSpent
  /** The last of them, in order; `attempts` counts all. */
  readonly attemptsMade: readonly AttemptOutcome[]
  /** Null where it belongs to none. */
  readonly trace: TraceSpan | null
  /** From asking for a slot to the grant; null when none was granted. */
  readonly queueWaitMs: number | null
  /** What was reckoned of that wait when it began, in one of two cases and in nine of ten; null where it did not wait, or nothing was known. */
  readonly toldWait: { readonly p50Ms: number; readonly p90Ms: number } | null
  /** From accepting the request to its first content; null without content and for answers that were not streamed. */
  readonly ttftMs: number | null
  /** From the dispatch of the last attempt to its first content; null where ttftMs is. */
  readonly upstreamTtftMs: number | null
  /** Mean of the tokens behind the first piece of a stream; null where there is none, or none that tells of its host's speed. */
  readonly timePerOutputTokenMs: number | null
  /** Of a stream that ended before its host was done: the same, with the silence since its last piece. Else null. */
  readonly timePerOutputTokenMsLeast: number | null
  readonly durationMs: number
  readonly tokens: TokenCounts
  readonly usageSource: UsageSource
  readonly sources: TokenSources
}

/** Decode tok/s of a stream; null where its TPOT says nothing. */
export function tokensPerSecondOf(timePerOutputTokenMs: number | null): number | null {
  return timePerOutputTokenMs === null || timePerOutputTokenMs === 0 ? null : 1_000 / timePerOutputTokenMs
}

/** Of any answer, what users call its speed; null where nothing was written. */
export function endToEndTokensPerSecondOf(outputTokens: number, durationMs: number): number | null {
  return outputTokens > 0 && durationMs > 0 ? (outputTokens * 1_000) / durationMs : null
}

/** The name that was asked for, where it is another than the one it is known by. */
export function otherNameOf({ askedModel, model }: Pick<Outcome, 'askedModel' | 'model'>): string | null {
  return askedModel === model ? null : askedModel
}

/** Where a request stands; the second letter of its end code. */
export type Phase = 'R' | 'A' | 'Q' | 'C' | 'H' | 'F' | 'D' | 'L'

/** The end code of an error in a phase; `cause` where an attempt failed with it. */
export function endCode(code: ErrorCode, phase: Phase, cause: FailureCause | null = null): EndCode {
  // That we are short of something is found on the door step and at the end of the line; both are checks.
  if (code === 'overloaded') return 'RA'
  // A host that is silent is slow, one that sends too much met a rule of ours: their codes do not say so.
  if (cause === 'connect_timed_out' || cause === 'timed_out') return `u${phase}`
  if (cause === 'client_slow') return `c${phase}`
  return cause === 'over_bound' ? `G${phase}` : `${blame(code)}${phase}`
}

/** Of codes that say nothing else: G where a rule refused, U where the code names the host. */
const blamed: Partial<Record<ErrorCode, Exclude<Who, 'C'>>> = {
  request_timeout: 'c',
  upstream_timeout: 'u',
  upstream_stalled: 'u',
  gateway_shutting_down: 'A',
  request_cancelled: 'A',
  queue_full: 'R',
  queue_timeout: 'R',
  queue_wait_too_long: 'R',
  internal_error: 'R',
  no_upstream_available: 'U',
  model_loading: 'U',
}

function blame(code: ErrorCode): Exclude<Who, 'C'> {
  return blamed[code] ?? (code.startsWith('upstream_') ? 'U' : 'G')
}
