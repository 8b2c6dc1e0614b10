/** Reads a client's request once, bounded, and checks what the gateway itself relies on. */
import { GatewayError } from '../base/errors.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import type { ByteShare } from '../queue/byte-budget.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { mediaType } from '../wire/media-type.ts'
import { readMultipartBody } from '../wire/multipart.ts'
import { type RequestBody, readJsonBody } from '../wire/request-body.ts'
import type { BodyOwner } from './body-reader.ts'
import type { Caller } from './caller.ts'
import type { Exchange } from './exchange.ts'
import type { RelayOptions } from './options.ts'
import type { Work } from './own-work.ts'
import type { RelayParts } from './relay-parts.ts'

/** To read so many from the socket is a long turn by itself: what is made of them waits until others had theirs. */
const longBytes = 262_144

/** Whose request it is: one of both is called, once. */
export interface InboundOwner {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  readonly caller: Caller
  bodyCame(body: RequestBody): void
  /** With ClientLeft, a GatewayError, or whatever else was thrown, by `bodyCame` too. */
  bodyFailed(error: unknown): void
}

export class Inbound implements BodyOwner {
  /** Those of now: others may hold when the body is there. */
  readonly #options: RelayOptions
  readonly #clock: RelayParts['clock']
  readonly #work: Work
  readonly #owner: InboundOwner
  readonly #share: ByteShare
  #contentType = ''
  /** Of the body, for as long as it counts. */
  #heldBytes = 0

  constructor(
    { options, budget, clock }: Pick<RelayParts, 'options' | 'budget' | 'clock'>,
    work: Work,
    owner: InboundOwner,
  ) {
    this.#options = options
    this.#clock = clock
    this.#work = work
    this.#owner = owner
    this.#share = budget.shareOf(owner.caller.holder)
  }

  begin(): void {
    const { exchange, endpoint } = this.#owner
    const options = this.#options
    try {
      this.#contentType = checkForm(exchange, endpoint)
      const limits = {
        bytesMax: endpoint.body === 'json' ? options.bodyBytesMax : options.multipartBytesMax,
        msMax: options.bodyMsMax,
        graceMs: options.bodyGraceMs,
        bytesPerSecondMin: options.bodyBytesPerSecondMin,
        budget: this.#share,
      }
      exchange.readBody(limits, this)
    } catch (error) {
      this.#owner.bodyFailed(error)
    }
  }

  bodyRead(bytes: Buffer): void {
    this.#heldBytes = bytes.length
    if (bytes.length < longBytes) this.#take(bytes)
    // Of two turns the first is what is left of this one.
    else this.#clock.afterTurn(() => this.#clock.afterTurn(() => this.#take(bytes)))
  }

  #take(bytes: Buffer): void {
    // Its client may have left meanwhile.
    if (this.#heldBytes === 0 && bytes.length > 0) return
    try {
      this.#owner.bodyCame(this.#parsed(bytes))
    } catch (error) {
      // Its owner may have ended before, and lets go of nothing any more.
      this.release()
      this.#owner.bodyFailed(error)
    }
  }

  bodyFailed(error: unknown): void {
    this.#owner.bodyFailed(error)
  }

  /** Its bytes are held no more. */
  release(): void {
    if (this.#heldBytes > 0) this.#share.give(this.#heldBytes)
    this.#heldBytes = 0
  }

  #parsed(bytes: Buffer): RequestBody {
    this.#work.turnTo('parse')
    try {
      const isJson = this.#owner.endpoint.body === 'json'
      const body = isJson ? readJsonBody(bytes, this.#options) : readMultipartBody(bytes, this.#contentType)
      if (looksLikeOurs(body.model)) throw keyForModel()
      return body
    } finally {
      this.#work.turnTo(null)
    }
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
