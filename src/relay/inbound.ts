/** Reads a client's request once, bounded, and checks what the gateway itself relies on. */
import { GatewayError } from '../base/errors.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import type { ByteBudget } from '../queue/byte-budget.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { mediaType } from '../wire/media-type.ts'
import { readMultipartBody } from '../wire/multipart.ts'
import { type RequestBody, readJsonBody } from '../wire/request-body.ts'
import type { Caller } from './caller.ts'
import type { Exchange } from './exchange.ts'
import type { RelayOptions } from './options.ts'
import type { Work } from './own-work.ts'

export interface Inbound {
  readonly body: RequestBody
  /** Its bytes are held no more; called once. */
  readonly release: () => void
}

interface InboundParts {
  readonly options: RelayOptions
  readonly budget: ByteBudget
  readonly caller: Caller
  readonly work: Work
}

export async function readInbound(exchange: Exchange, endpoint: Endpoint, parts: InboundParts): Promise<Inbound> {
  const { options, caller, work } = parts
  const budget = parts.budget.shareOf(caller.holder)
  const contentType = checkForm(exchange, endpoint)
  const bytesMax = endpoint.body === 'json' ? options.bodyBytesMax : options.multipartBytesMax
  const bytes = await exchange.readBody({
    bytesMax,
    msMax: options.bodyMsMax,
    graceMs: options.bodyGraceMs,
    bytesPerSecondMin: options.bodyBytesPerSecondMin,
    budget,
  })
  work.turnTo('parse')
  try {
    const body = endpoint.body === 'json' ? readJsonBody(bytes, options) : readMultipartBody(bytes, contentType)
    if (looksLikeOurs(body.model)) throw keyForModel()
    return { body, release: () => budget.give(bytes.length) }
  } catch (error) {
    budget.give(bytes.length)
    throw error
  } finally {
    work.turnTo(null)
  }
}

/** A browser can send text/plain across origins without asking; JSON it cannot. Returns the whole content type. */
function checkForm(exchange: Exchange, endpoint: Endpoint): string {
  const encoding = exchange.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new GatewayError('unsupported_media_type', 'Send the body without content-encoding.')
  }
  const header = exchange.headers['content-type']
  const type = mediaType(header)
  const expected = endpoint.body === 'json' ? 'application/json' : 'multipart/form-data'
  if (type !== expected && !(endpoint.body === 'json' && /^application\/[\w.-]+\+json$/.test(type))) {
    throw new GatewayError('unsupported_media_type', `Send this request as content-type: ${expected}.`)
  }
  return String(header)
}

/** Names of models are told in answers, in the log and in metrics. */
function keyForModel(): GatewayError {
  const message = '"model" holds a key, which belongs in a header; replace one that was sent like this.'
  return new GatewayError('invalid_request', message, { param: 'model' })
}
