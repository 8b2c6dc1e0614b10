/** What a stream that waits is sent, so that neither a client nor a proxy between takes it for dead. */
import { GatewayError, type PredictedWait } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { DialectName } from './endpoints.ts'
import type { HeaderFields } from './headers.ts'

export const heartbeatForms = ['off', 'comment', 'chunk'] as const
export type HeartbeatForm = (typeof heartbeatForms)[number]

/** A request's place in a line, as it is told to the client that waits. */
export interface PlaceInLine extends PredictedWait {
  /** Of those before it the ones of its own key. */
  readonly aheadInKey: number
  /** Keys that have requests waiting for the same; null where only its own can. */
  readonly keysWaiting: number | null
  readonly class: RequestClass
  /**
   * First for the limits of its key, where they do not admit it at once; then for a slot of a host, or until one has loaded
   * the model.
   */
  readonly waitsFor: 'limit' | 'slot' | 'load'
  /** The load of the model, where that is what it waits for. */
  readonly load?: {
    readonly host: string
    /** Null while it has to wait for that. */
    readonly forMs: number | null
    readonly expectedMs: number | null
  } | null
}

/** By this header a client chooses for itself. */
const heartbeatHeader = 'x-lmx-gateway-heartbeat'
/** By this one it asks to be told of its wait. */
const queueEventsHeader = 'x-lmx-gateway-queue-events'

/** The form for one request: the client's own wish, else the configured one. A wish that is none of the forms is a mistake. */
export function heartbeatForm(headers: HeaderFields, configured: HeartbeatForm): HeartbeatForm {
  const wish = headers[heartbeatHeader]
  const form = wish === undefined ? configured : heartbeatForms.find((known) => known === wish)
  if (form !== undefined) return form
  throw new GatewayError('invalid_request', `The header ${heartbeatHeader} must be off, comment or chunk.`)
}

/** Whether the client wants to be told of its place in the line. */
export function wantsQueueEvents(headers: HeaderFields): boolean {
  const wish = headers[queueEventsHeader]
  if (wish === undefined || wish === '0') return false
  if (wish === '1') return true
  const message = `The header ${queueEventsHeader} must be 1 or 0.`
  throw new GatewayError('invalid_request', message, { param: queueEventsHeader })
}

/**
 * A line end and no empty line: with an empty line a comment is an event without data, on which some clients break.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
const comment = ': waiting\n'

/** One heartbeat. A chunk carries a choice with nothing in it, since clients look at the first choice; never an `id:`. */
export function heartbeat(
  form: Exclude<HeartbeatForm, 'off'>,
  dialect: DialectName,
  { model, createdSeconds }: { model: string; createdSeconds: number },
): string {
  if (form === 'comment') return comment
  const chunk = { id: 'chatcmpl-waiting', created: createdSeconds, model }
  switch (dialect) {
    case 'chat': {
      const choices = [{ index: 0, delta: {}, finish_reason: null }]
      return data({ ...chunk, object: 'chat.completion.chunk', choices })
    }
    case 'completions': {
      const choices = [{ index: 0, text: '', logprobs: null, finish_reason: null }]
      return data({ ...chunk, id: 'cmpl-waiting', object: 'text_completion', choices })
    }
    case 'messages':
      // https://docs.anthropic.com/en/docs/build-with-claude/streaming#ping-events
      return 'event: ping\ndata: {"type":"ping"}\n\n'
    case 'responses':
    case 'none':
      // No event of theirs says nothing.
      return comment
  }
}

/**
 * The same heartbeat of a request that waits in the line: a comment that tells its place, instead of one that tells
 * nothing. The empty line is for those who read a stream block by block; it goes to nobody who did not ask for it.
 */
export function heartbeatInLine(plain: string, place: PlaceInLine): string {
  const queue = {
    position: place.position,
    ahead_in_key: place.aheadInKey,
    keys_waiting: place.keysWaiting,
    eta_seconds: tenthsOfSeconds(place.p50Ms),
    eta_p90_seconds: tenthsOfSeconds(place.p90Ms),
    class: place.class,
    waits_for: place.waitsFor,
    ...(place.load != null && {
      load: {
        host: place.load.host,
        elapsed_seconds: tenthsOfSeconds(place.load.forMs),
        eta_seconds: tenthsOfSeconds(place.load.expectedMs),
      },
    }),
  }
  return `: lmx-gateway ${JSON.stringify({ queue })}\n\n${plain === comment ? '' : plain}`
}

function tenthsOfSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms / 100) / 10
}

function data(chunk: object): string {
  return `data: ${JSON.stringify(chunk)}\n\n`
}
