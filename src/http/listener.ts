/** A bound HTTP server: limits of what a client may send before anything reads it, and an orderly end. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { brokenBody } from '../relay/body-reader.ts'
import { Exchange } from '../relay/exchange.ts'
import { endpoints } from '../wire/endpoints.ts'
import { type HeaderList, setHeader } from '../wire/header-list.ts'
import { Cors } from './cors.ts'
import { DirectRoutes } from './direct-routes.ts'
import { isAnthropicPath } from './error-response.ts'
import { Handshakes } from './handshakes.ts'
import { LastWords } from './last-words.ts'
import { LateApp, type LoadApp } from './late-app.ts'
import { type ConnectionLimits, OpenConnections } from './open-connections.ts'
import type { ServerOptions } from './options.ts'
import { headProblem } from './request-head.ts'
import { requestIdFor, requestIdHeader } from './request-id.ts'
import type { TlsFiles } from './tls-files.ts'

// Not imported: that would read all exports at once, WebSocket among them, for which Node loads its whole fetch: as long as it takes to start by itself.
const http = process.getBuiltinModule('node:http')
const https = process.getBuiltinModule('node:https')

export interface ListenerLimits
  extends ConnectionLimits,
    Pick<ServerOptions, 'headerMsMax' | 'keepAliveMs' | 'headerBytesMax' | 'headersMax' | 'halfClose'> {
  /** How long a client may take to read the end of an answer, once that is all that is left of it. */
  readonly clientStallMsMax: number
}

/** What a listener may have beside plain HTTP. */
export interface ListenerEdge {
  readonly tls?: TlsFiles | undefined
  /** Pages of other origins are told nothing without. */
  readonly cors?: Cors | undefined
  /** On every answer, refusals before any route is looked for among them. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Told of what of the app cannot be loaded. */
  readonly log?: Log | undefined
  /** Taken before the others are looked at. */
  readonly direct?: DirectRoutes | undefined
}

/** What is to be known of an open connection. */
interface Connection {
  /** The last one on it that is not over yet. */
  answering: ServerResponse | null
  /** Its last request has come: what was sent behind it is not looked at. */
  spent: boolean
}

/** How often Node looks for clients that are too slow; its own default would let them stay 30 s longer. */
const checkEveryMs = 2_000
/** How long answers that are complete may take to leave before their connections are closed. */
const closeMsMax = 2_000
const closeEveryMs = 25

export class Listener {
  readonly #server: Server
  readonly #clock: Clock
  readonly #limits: ListenerLimits
  readonly #keepsConnections: () => boolean
  readonly #app: LateApp
  readonly #lastWords: LastWords
  readonly #tls: TlsFiles | null
  readonly #handshakes: Handshakes | null
  readonly #cors: Cors
  readonly #headers: HeaderList
  readonly #direct: DirectRoutes
  readonly #connections: OpenConnections
  readonly #asked = new WeakMap<Socket, Connection>()
  #closing = false

  /** `keepsConnections` false: each answer says that its connection closes. */
  constructor(
    loadApp: LoadApp,
    limits: ListenerLimits,
    clock: Clock,
    keepsConnections: () => boolean = () => true,
    edge: ListenerEdge = {},
  ) {
    this.#clock = clock
    this.#limits = limits
    this.#connections = new OpenConnections(limits)
    this.#keepsConnections = keepsConnections
    this.#lastWords = new LastWords(clock)
    this.#tls = edge.tls ?? null
    this.#handshakes =
      this.#tls === null ? null : new Handshakes({ clock, lastWords: this.#lastWords, msMax: limits.headerMsMax })
    this.#cors = edge.cors ?? new Cors([])
    this.#headers = Object.entries(edge.headers ?? {}).flat()
    this.#direct = edge.direct ?? new DirectRoutes()
    this.#app = new LateApp(loadApp, clock, edge.log ?? (() => {}))
    this.#server = this.#newServer()
    this.#attach(this.#server)
  }

  #newServer(): Server {
    const limits = this.#limits
    const options = {
      headersTimeout: limits.headerMsMax,
      // Bodies have a limit of their own, with an answer that says so.
      requestTimeout: 0,
      connectionsCheckingInterval: checkEveryMs,
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headerBytesMax,
      // Refused by ourselves, in the envelope of every other error.
      requireHostHeader: false,
    }
    const server =
      this.#tls === null
        ? http.createServer(options)
        : // Half-open as a server without TLS is, so that the option below decides.
          https.createServer({ ...options, ...this.#tls.options, allowHalfOpen: true, ALPNProtocols: ['http/1.1'] })
    // Beyond its own number Node drops headers in silence; the size of them all is limited in any case.
    server.maxHeadersCount = 0
    // Node's own name for this, old and in use, though its manual does not tell of it. Its default is false.
    Object.assign(server, { httpAllowHalfOpen: limits.halfClose === 'answered' })
    return server
  }

  #attach(server: Server): void {
    const connections = this.#connections
    server.on('connection', (socket: Socket) => {
      const problem = connections.add(socket)
      if (problem === null) this.#handshakes?.begin(socket)
      // Before its handshake nothing can be said to it that it would understand.
      else if (this.#handshakes !== null) socket.destroy()
      else this.#lastWords.say(socket, problem)
    })
    server.on('secureConnection', (socket: TLSSocket) => this.#handshakes?.end(socket))
    server.on('request', (incoming, outgoing) => this.#onRequest(incoming, outgoing))
    server.on('checkContinue', (incoming, outgoing) => this.#onExpectation(incoming, outgoing))
    server.on('checkExpectation', (incoming, outgoing) => this.#onRequest(incoming, outgoing))
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#onClientError(error, socket))
  }

  /** Open now. */
  get connections(): number {
    return this.#connections.open
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
        else {
          this.#followTlsFiles()
          this.#app.loadSoon()
          resolve(address)
        }
      })
    })
  }

  /** Stops accepting, lets answers that are complete leave, then closes what is left. */
  close(): Promise<void> {
    const server = this.#server
    if (!server.listening) return Promise.resolve()
    this.#tls?.stop()
    this.#app.stop()
    this.#handshakes?.closeAll()
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

  #onRequest(incoming: IncomingMessage, outgoing: ServerResponse, mayBeLast = false): void {
    const { socket } = incoming
    const connection = this.#connectionOf(socket)
    if (connection.spent || this.#lastWords.said(socket)) return
    const requestId = requestIdFor(incoming)
    const headers = [requestIdHeader, requestId, ...this.#headers]
    this.#follow(outgoing, connection, socket)
    this.#cors.mark(incoming, headers)
    const problem = headProblem(incoming, this.#limits.headersMax)
    // No other protocol is spoken here. Who asked for one may send something else behind it than HTTP.
    if (mayBeLast || problem !== null || incoming.headers.upgrade !== undefined || !this.#keepsConnections()) {
      connection.spent = true
      setHeader(headers, 'connection', 'close')
    }
    if (problem !== null) {
      const exchange = new Exchange(incoming, outgoing, { clock: this.#clock, requestId, headers })
      exchange.fail(problem, isAnthropicPath(incoming.url ?? ''))
      return
    }
    const direct = this.#direct.find(incoming)
    if (direct === undefined) this.#route(incoming, outgoing, headers)
    else direct(incoming, outgoing, { requestId, headers })
  }

  /** Hono's adapter adds to what stands in the response. */
  #route(incoming: IncomingMessage, outgoing: ServerResponse, headers: HeaderList): void {
    for (let at = 0; at < headers.length; at += 2) outgoing.setHeader(headers[at] ?? '', headers[at + 1] ?? '')
    if (!this.#cors.answeredPreflight(incoming, outgoing)) this.#app.handle(incoming, outgoing)
  }

  #connectionOf(socket: Socket): Connection {
    const known = this.#asked.get(socket)
    if (known !== undefined) return known
    const connection: Connection = { answering: null, spent: false }
    this.#asked.set(socket, connection)
    return connection
  }

  /** Answers of one connection end in the order in which they were asked for. */
  #follow(outgoing: ServerResponse, connection: Connection, socket: Socket): void {
    connection.answering = outgoing
    outgoing.on('close', () => {
      if (connection.answering === outgoing) connection.answering = null
    })
    // Node waits for ever for a client that does not read its answer, whoever gave it. Told when the last byte was handed
    // to the connection, so after every answer before this one; where it took all of them there is nothing to wait for.
    outgoing.on('prefinish', () => {
      if (socket.writableLength > 0) this.#watchReader(socket, outgoing)
    })
  }

  /** A client that waits for `100 Continue` gets it when its body is wanted, so that a refusal comes before. */
  #onExpectation(incoming: IncomingMessage, outgoing: ServerResponse): void {
    incoming.once('resume', () => {
      if (!outgoing.headersSent) outgoing.writeContinue()
    })
    // Nobody else reads a body: whether one follows an answer that came without the 100 only the client knows.
    this.#onRequest(
      incoming,
      outgoing,
      !endpoints.some(({ path }) => incoming.method === 'POST' && path === incoming.url),
    )
  }

  /** What Node's parser refuses never becomes a request; it still gets the envelope, behind the answers under way. */
  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (this.#handshakes?.failed(error, socket) === true) return
    if (this.#lastWords.said(socket) || error.code === 'ECONNRESET') {
      if (!this.#lastWords.lingers(socket)) socket.destroy()
      return
    }
    const connection = this.#connectionOf(socket)
    const isNews = !connection.spent
    connection.spent = true
    const last = connection.answering
    if (last === null) this.#lastWords.say(socket, brokenRequest(error.code))
    // It ended its side in the middle of a body: it left.
    else if (error.code === 'HPE_INVALID_EOF_STATE' && !last.req.complete) socket.destroy()
    else if (isNews && !last.req.complete) this.#endBroken(last, brokenRequest(error.code))
    else if (isNews) last.once('close', () => this.#lastWords.say(socket, brokenRequest(error.code)))
  }

  /** Whoever reads the body answers; a refusal that is under way needs no second one, which would end up inside of it. */
  #endBroken(outgoing: ServerResponse, error: GatewayError): void {
    const { req, socket } = outgoing
    if (socket === null) req.socket.destroy()
    else if (outgoing.headersSent || req.emit(brokenBody, error)) outgoing.once('close', () => req.socket.destroySoon())
    else this.#lastWords.say(req.socket, error)
  }

  #watchReader(socket: Socket, outgoing: ServerResponse): void {
    const timer = this.#clock.after(this.#limits.clientStallMsMax, () => socket.destroy())
    outgoing.once('close', () => timer.cancel())
  }

  #followTlsFiles(): void {
    const server = this.#server
    this.#tls?.watch((options) => {
      if (server instanceof https.Server) server.setSecureContext(options)
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
