/** A bound HTTP server: limits of what a client may send before anything reads it, and an orderly end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import { errorAnswer } from '../wire/error-answer.ts'
import type { App } from './app.ts'
import { onBadRequest } from './error-response.ts'
import type { ServerOptions } from './options.ts'
import { setRequestId } from './request-id.ts'

export interface ListenerLimits
  extends Pick<ServerOptions, 'headerMsMax' | 'keepAliveMs' | 'headerBytesMax' | 'halfClose'> {
  /** How long a client may take to read the end of an answer, once that is all that is left of it. */
  readonly clientStallMsMax: number
}

/** How often Node looks for clients that are too slow; its own default would let them stay 30 s longer. */
const checkEveryMs = 2_000
/** How long answers that are complete may take to leave before their connections are closed. */
const closeMsMax = 2_000
const closeEveryMs = 25

export class Listener {
  readonly #server: Server
  readonly #clock: Clock
  readonly #answering = new Set<ServerResponse>()
  #closing = false

  constructor(app: App, limits: ListenerLimits, clock: Clock) {
    this.#clock = clock
    const listener = getRequestListener((request, env) => app.fetch(request, env), {
      // The global Request and Response stay Node's own: the marker of a relayed answer depends on it.
      overrideGlobalObjects: false,
      // What is left of a refused body is our own affair (relay/exchange.ts).
      autoCleanupIncoming: false,
      errorHandler: onBadRequest,
    })
    this.#server = createServer(
      {
        headersTimeout: limits.headerMsMax,
        // Bodies have a limit of their own, with an answer that says so.
        requestTimeout: 0,
        connectionsCheckingInterval: checkEveryMs,
        keepAliveTimeout: limits.keepAliveMs,
        maxHeaderSize: limits.headerBytesMax,
      },
      (incoming: IncomingMessage, outgoing: ServerResponse) => {
        setRequestId(incoming, outgoing)
        this.#answering.add(outgoing)
        outgoing.on('close', () => this.#answering.delete(outgoing))
        this.#watchReader(incoming, outgoing, limits.clientStallMsMax)
        void listener(incoming, outgoing)
      },
    )
    // Node's own name for this, old and in use, though its manual does not tell of it. Its default is false.
    Object.assign(this.#server, { httpAllowHalfOpen: limits.halfClose === 'answered' })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      // In the middle of an answer, a second one would become part of its body.
      const answers = [...this.#answering].some((outgoing) => outgoing.req.socket === socket)
      if (answers || !socket.writable || error.code === 'ECONNRESET') socket.destroy()
      else answerBrokenRequest(error.code, socket)
    })
  }

  /** Resolves with the real address; rejects with Node's error. */
  listen(bind: string, port: number): Promise<AddressInfo> {
    const server = this.#server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, bind, () => {
        server.off('error', reject)
        const address = server.address()
        if (address === null || typeof address === 'string') reject(new Error('no address'))
        else resolve(address)
      })
    })
  }

  /** Stops accepting, lets answers that are complete leave, then closes what is left. */
  close(): Promise<void> {
    const server = this.#server
    if (!server.listening) return Promise.resolve()
    return new Promise((resolve) => {
      const rest = this.#clock.after(closeMsMax, () => server.closeAllConnections())
      this.#closing = true
      server.close(() => {
        this.#closing = false
        rest.cancel()
        resolve()
      })
      this.#closeIdle()
    })
  }

  /** Node waits for ever for a client that does not read its answer, whoever gave it. */
  #watchReader({ socket }: IncomingMessage, outgoing: ServerResponse, msMax: number): void {
    // Emitted when the last byte was handed to the connection, so after every answer before this one.
    outgoing.once('prefinish', () => {
      const timer = this.#clock.after(msMax, () => socket.destroy())
      outgoing.once('close', () => timer.cancel())
    })
  }

  /** A connection that becomes idle later than `close` was called would otherwise be kept for the next request. */
  #closeIdle(): void {
    this.#server.closeIdleConnections()
    this.#clock.after(closeEveryMs, () => {
      if (this.#closing) this.#closeIdle()
    })
  }
}

/** What Node's parser refuses never becomes a request; it still gets the envelope. */
function answerBrokenRequest(code: string | undefined, socket: Socket): void {
  const { status, headers, body } = errorAnswer(brokenRequest(code), false)
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${reasonPhrases[status] ?? 'Error'}\r\n${head}\r\n${body}`)
}

const reasonPhrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

function brokenRequest(code: string | undefined): GatewayError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new GatewayError('headers_too_large', 'The request line and headers are over the limit.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new GatewayError('request_timeout', 'The request took too long to arrive.')
    default:
      return new GatewayError('invalid_request', 'This is not a correct HTTP request.')
  }
}
