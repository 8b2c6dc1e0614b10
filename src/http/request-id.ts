/** Gives every request an id before anything else looks at it, so that every answer carries one. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomId } from '../base/ids.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import { acceptableRequestId } from '../wire/headers.ts'

/** Of the request, and of its answer. */
export const requestIdHeader = 'x-request-id'

/**
 * The client's own id where it is a plain word, else a new one. One that holds a key of ours, or a part of one, is none:
 * the log and the ledger would keep it.
 */
export function requestIdFor({ headers }: IncomingMessage): string {
  const own = acceptableRequestId(headers[requestIdHeader])
  return own === null || looksLikeOurs(own) ? `req-${randomId(22)}` : own
}

/** Of one that went to Hono: it stands in the headers of its answer. */
export function requestIdOf(outgoing: ServerResponse): string {
  return String(outgoing.getHeader(requestIdHeader))
}
