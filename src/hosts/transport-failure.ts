/** Why a round trip failed, told from the codes of the client library; the log keeps those. */

export type FailureKind =
  /** No connection, so nothing was sent. */
  | 'connect'
  | 'tls'
  /** The connection broke before the answer was whole. */
  | 'disconnected'
  /** What came was not correct HTTP. */
  | 'protocol'
  /** `abort` was called. */
  | 'aborted'

export interface TransportFailure {
  readonly kind: FailureKind
  /** The client library's own code, for the log: ECONNREFUSED, UND_ERR_SOCKET, HPE_INVALID_CONSTANT. */
  readonly code: string
  /** The connection had served an earlier request, so the host may have closed it just as we wrote. */
  readonly reusedSocket: boolean
  /** Any byte of an answer had arrived, so the host had read the request. */
  readonly answered: boolean
}

/** Node's own word for it, on the other side. */
export const handshakeTimeoutCode = 'ERR_TLS_HANDSHAKE_TIMEOUT'

/** What Node and OpenSSL say of handshakes, and of certificates. */
const tlsCodes =
  /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERROR_IN_CERT|INVALID_(?:CA|PURPOSE)|PATH_LENGTH|HOSTNAME_|EPROTO$)/

export function failureKind(code: string, seen: { readonly connected: boolean; readonly head: boolean }): FailureKind {
  if (!seen.connected && tlsCodes.test(code)) return 'tls'
  if (!seen.connected) return 'connect'
  if (protocolCodes.has(code) || code.startsWith('HPE_')) return 'protocol'
  // undici's word for a head that it cannot read, once that had a length; after a head it is a body that is too short.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && !seen.head) return 'protocol'
  return 'disconnected'
}

/** A 101 that names no protocol trips an assertion of undici. */
const protocolCodes: ReadonlySet<string> = new Set([
  'BAD_RESPONSE',
  'ERR_ASSERTION',
  'HTTPParserError',
  'UND_ERR_HEADERS_OVERFLOW',
])

export function errorCode(error: Error): string {
  // undici's word for a 100 or 101 that nobody asked for.
  if (error.message === 'bad response' || error.message === 'bad upgrade') return 'BAD_RESPONSE'
  // A connection that ended inside an answer which was to end it, in the parser's words.
  if (error.name === 'HTTPParserError' && error.message.includes('Invalid EOF state')) return 'UND_ERR_SOCKET'
  const code: unknown = 'code' in error ? error.code : undefined
  if (typeof code === 'string' && code !== '') return code
  return error.name
}
