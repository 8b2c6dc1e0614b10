/** What a stream that waits is sent, so that neither a client nor a proxy between takes it for dead. */
import { GatewayError } from '../base/errors.ts'
import type { DialectName } from './endpoints.ts'
import type { HeaderFields } from './headers.ts'

export const heartbeatForms = ['off', 'comment', 'chunk'] as const
export type HeartbeatForm = (typeof heartbeatForms)[number]

/** By this header a client chooses for itself. */
const heartbeatHeader = 'x-lmx-gateway-heartbeat'

/** The form for one request: the client's own wish, else the configured one. A wish that is none of the forms is a mistake. */
export function heartbeatForm(headers: HeaderFields, configured: HeartbeatForm): HeartbeatForm {
  const wish = headers[heartbeatHeader]
  const form = wish === undefined ? configured : heartbeatForms.find((known) => known === wish)
  if (form !== undefined) return form
  throw new GatewayError('invalid_request', `The header ${heartbeatHeader} must be off, comment or chunk.`)
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

function data(chunk: object): string {
  return `data: ${JSON.stringify(chunk)}\n\n`
}
