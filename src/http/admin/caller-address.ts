/** Where a caller of the admin listener is. */
import type { IncomingMessage } from 'node:http'
import { canonicalAddress } from '../client-address.ts'

/** Of the connection: what a header says of it counts for nothing here. */
export function addressOf({ socket }: IncomingMessage): string {
  return canonicalAddress(socket.remoteAddress ?? '') ?? 'unknown'
}
