/** What an operator sends: read within bounds, and checked so strictly that nothing unknown gets in. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { nameOf } from '../../access/checked.ts'
import type { Clock } from '../../base/clock.ts'
import { GatewayError } from '../../base/errors.ts'
import { unshared } from '../../queue/byte-budget.ts'
import { Exchange } from '../../relay/exchange.ts'
import { mediaType } from '../../wire/media-type.ts'
import { requestIdOf } from '../request-id.ts'
import { doubledField } from './doubled-field.ts'

const bodyBytesMax = 65_536
const bodyMsMax = 10_000

/** Each parameter once: of two with one name readers differ on which counts. */
export function queryOf(url: string): Record<string, string> {
  const query = new Map<string, string>()
  for (const [name, value] of new URL(url).searchParams) {
    if (query.has(name)) throw new GatewayError('invalid_request', 'A parameter may stand there once.', { param: name })
    query.set(name, value)
  }
  return Object.fromEntries(query)
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** More than the empty object that some clients send with every request. */
export function isLarge({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > bodyBytesMax
}

/** Nothing of a body, not even its type. */
export function isBare(incoming: IncomingMessage): boolean {
  const { headers } = incoming
  return !hasBody(incoming) && headers['content-type'] === undefined && headers['content-encoding'] === undefined
}

/** Pages cannot send this type across origins unasked. An empty body is an empty object. */
export async function jsonBody(incoming: IncomingMessage, outgoing: ServerResponse, clock: Clock): Promise<unknown> {
  const { headers } = incoming
  if (mediaType(headers['content-type']) !== 'application/json' || headers['content-encoding'] !== undefined)
    throw new GatewayError('unsupported_media_type', 'Send JSON, with the header content-type: application/json.')
  const exchange = new Exchange(incoming, outgoing, { clock, requestId: requestIdOf(outgoing) })
  const limits = {
    bytesMax: bodyBytesMax,
    msMax: bodyMsMax,
    graceMs: bodyMsMax,
    bytesPerSecondMin: 1,
    budget: unshared,
  }
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    exchange.readBody(limits, { bodyRead: resolve, bodyFailed: reject })
  })
  if (bytes.length === 0) return {}
  const body = parsed(bytes)
  const doubled = doubledField(bytes)?.map(nameOf).join('.')
  if (doubled === undefined) return body
  throw new GatewayError('invalid_request', `${doubled}: appears twice; send it once.`, { param: doubled })
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new GatewayError('invalid_json', 'The body is not JSON.')
  }
}
