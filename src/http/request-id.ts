/** Gives every request an id before anything else looks at it, so that every answer carries one. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomId } from '../base/ids.ts'
import { acceptableRequestId } from '../wire/headers.ts'

const header = 'x-request-id'

/** The client's own id where it is a plain word, else a new one; it stands in the answer's headers from here on. */
export function setRequestId(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.setHeader(header, acceptableRequestId(incoming.headers[header]) ?? `req-${randomId(22)}`)
}

export function requestIdOf(outgoing: ServerResponse): string {
  return String(outgoing.getHeader(header))
}
