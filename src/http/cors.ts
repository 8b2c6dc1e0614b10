/** Which pages may call the gateway from a browser: those of the configured origins, and without cookies. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type HeaderList, setHeader } from '../wire/header-list.ts'

/** Browsers ask again after this at the latest; they take no more than two hours. */
const maxAgeSeconds = 7_200
const requestedHeadersMax = 1_024

/** What a page may read of an answer, beside its body and content type. */
const exposedHeaders = [
  'x-request-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  ...['limit', 'remaining', 'reset'].flatMap((part) => [`x-ratelimit-${part}-requests`, `x-ratelimit-${part}-tokens`]),
  ...['host', 'model', 'queue-ms', 'attempts', 'reason', 'assembled', 'heartbeat', 'receipt'].map(
    (part) => `x-lmx-gateway-${part}`,
  ),
  ...['position', 'wait-ms', 'wait-p90-ms'].map((part) => `x-lmx-gateway-queue-${part}`),
].join(', ')

export class Cors {
  readonly #origins: ReadonlySet<string>

  /** As they are configured, none for no page at all; a browser writes those of the web without capitals and without the usual port. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins.map(canonicalOrigin))
  }

  /** Adds what every answer to the request needs. */
  mark({ headers }: IncomingMessage, answer: HeaderList): void {
    if (this.#origins.size === 0) return
    setHeader(answer, 'vary', 'Origin')
    const origin = this.#allowed(headers.origin)
    if (origin === null) return
    setHeader(answer, 'access-control-allow-origin', origin)
    setHeader(answer, 'access-control-expose-headers', exposedHeaders)
  }

  /**
   * It comes from a page that is not let: as browsers say of whatever changes something, even where they need not ask
   * beforehand. We have no pages, so one that seems to be our own stands behind a name that was turned to our address.
   */
  isForeign({ headers }: IncomingMessage): boolean {
    if (headers.origin !== undefined) return this.#allowed(headers.origin) === null
    return foreignSites.has(String(headers['sec-fetch-site']))
  }

  /** The same question on behalf of a page that is not let. */
  isForeignPreflight({ headers, method }: IncomingMessage): boolean {
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false
    return headers.origin !== undefined && this.#allowed(headers.origin) === null
  }

  /** True when it was the question of a browser whether it may ask, which is answered without a key and for any path. */
  answeredPreflight(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    const { headers, method } = incoming
    const asked = headers['access-control-request-method']
    if (method !== 'OPTIONS' || asked === undefined || this.#allowed(headers.origin) === null || hasBody(incoming)) {
      return false
    }
    const requested = headers['access-control-request-headers'] ?? ''
    outgoing.removeHeader('access-control-expose-headers')
    outgoing.setHeader('access-control-allow-methods', 'GET, POST')
    if (isListOfNames(requested)) outgoing.setHeader('access-control-allow-headers', requested)
    outgoing.setHeader('access-control-max-age', String(maxAgeSeconds))
    outgoing.writeHead(204)
    outgoing.end()
    return true
  }

  #allowed(origin: string | undefined): string | null {
    return origin !== undefined && this.#origins.has(origin) ? origin : null
  }
}

/** Where a browser names no origin, it says how near the page is that made it ask. */
const foreignSites: ReadonlySet<string> = new Set(['cross-site', 'same-site'])

/** Of the schemes that applications have for their pages, such as app://, URL knows no origin: they count as they are written. */
function canonicalOrigin(text: string): string {
  const { origin } = new URL(text)
  return origin === 'null' ? text : origin
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Names of headers are no secret of ours: a page may send what it likes, and what counts is decided elsewhere. */
function isListOfNames(text: string): boolean {
  return text.length <= requestedHeadersMax && /^[\w-]+(?: ?, ?[\w-]+)*$/.test(text)
}
