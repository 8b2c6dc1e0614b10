/** Gives every request an id before anything else looks at it, so that every answer carries one. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomId } from '../base/ids.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import { acceptableRequestId } from '../wire/headers.ts'

const header = 'x-request-id'

/**
 * The client's own id where it is a plain word, else a new one; it stands in the answer's headers from here on. One that
 * holds a key of ours, or a part of one, is none: the log and the ledger would keep it.
 */
export function setRequestId(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const own = acceptableRequestId(incoming.headers[header])
  outgoing.setHeader(header, own === null || looksLikeOurs(own) ? `req-${randomId(22)}` : own)
}

export function requestIdOf(outgoing: ServerResponse): string {
  return String(outgoing.getHeader(header))
}
