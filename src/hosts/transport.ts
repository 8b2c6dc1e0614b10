/**
 * The one door to the HTTP client: a round trip to one host, told as plain events.
 *
 * Node's `dispatch` of undici hands over each piece of an answer as it arrives, without streams or promises between.
 * Its own time-outs are off, since they are fed by any byte; the relay's clocks are fed by content.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Dispatcher } from 'undici'
// By its parts: the package's entry takes three times as long to load, which is a tenth of a second of every start.
import buildConnector from 'undici/lib/core/connect.js'
import Client from 'undici/lib/dispatcher/client.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import { type Clock, systemClock } from '../base/clock.ts'
import type { HeaderFields } from '../wire/headers.ts'
import { NameLookup, type ResolveName, resolveBySystem } from './name-lookup.ts'
import {
  errorCode,
  type FailureKind,
  failureKind,
  handshakeTimeoutCode,
  type TransportFailure,
} from './transport-failure.ts'

export type { TransportFailure } from './transport-failure.ts'

/** Called in this order: connected?, head?, data*, then exactly one of end or failed. None may throw. */
export interface RoundTripEvents {
  /** A connection is there and the request is being written. */
  connected(): void
  head(status: number, headers: HeaderFields): void
  data(chunk: Buffer): void
  end(): void
  failed(failure: TransportFailure): void
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST'
  /** Path and query on the host, its base path included. */
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer | null
}

/** One request to one host. */
export interface RoundTrip {
  /** Stops `data` until `resume`; one more piece may still come when called from outside of an event. */
  pause(): void
  resume(): void
  /** Closes the connection; `failed` with kind `aborted` follows, at once where nothing had been sent. */
  abort(): void
  /** The host took the connection, and the TLS handshake on it is not over. */
  readonly securing: boolean
  /** Bytes of the request that the host has not taken yet. */
  unsentBytes(): number
}

export interface TransportOptions {
  readonly connectMsMax: number
  /** PEM of the authorities that may have signed the host's certificate; those of Node by default. */
  readonly authorities?: string | undefined
  /** How long a connection is kept that is idle, as far as that is known; asked again for each request. */
  readonly keepAliveMs?: (() => number | undefined) | undefined
  /** Which addresses its name may lead to; all by default. Asked at each connection, since names change where they lead. */
  readonly mayConnectTo?: ((address: string) => boolean) | undefined
  /** Where the addresses of names come from; the system by default. */
  readonly resolveName?: ResolveName | undefined
  readonly clock?: Clock | undefined
}

/**
 * For a host of which no time is known: below the 5 s after which uvicorn and Node close an idle connection. If it hints
 * at more it is believed up to the maximum; where a time is known a hint can only shorten it.
 */
const keepAliveMsUnknown = 4_000
const keepAliveMsMax = 30_000
const keepAliveMarginMs = 2_000
/**
 * A host that lost its power never says so: after this silence the system asks it ten times, once a second, and then ends
 * the connection. The clocks of the relay end most requests earlier, but an answer that is not streamed may take minutes.
 */
const tcpKeepAliveDelayMs = 15_000
/** Within 16 KiB of headers there is room for thousands, each of which would be kept. */
const headersMax = 256

/** The connections to one host. */
export class Transport {
  readonly #origin: string
  readonly #keepAliveMs: () => number | undefined
  readonly #connectorOf: (connectMsMax: number) => buildConnector.connector
  #connectMsMax: number
  #clientOptions: WatchedClientOptions
  #pool: Pool
  /** Those of an earlier time of keep-alive, until their last request has ended. */
  readonly #retired = new Set<Pool>()

  constructor(origin: string, options: TransportOptions) {
    this.#origin = origin
    this.#keepAliveMs = options.keepAliveMs ?? (() => undefined)
    const names = new NameLookup(
      options.resolveName ?? resolveBySystem,
      options.clock ?? systemClock,
      options.mayConnectTo,
    )
    this.#connectMsMax = options.connectMsMax
    this.#connectorOf = (timeout) =>
      buildConnector({
        timeout,
        keepAliveInitialDelay: tcpKeepAliveDelayMs,
        // One request at a time on a connection, so that closing it ends that request alone.
        allowH2: false,
        lookup: names.lookup,
        ca: options.authorities,
        // Said here, or a variable of the environment could turn the check off.
        rejectUnauthorized: true,
        minVersion: 'TLSv1.2',
      })
    this.#clientOptions = {
      connector: this.#connectorOf(options.connectMsMax),
      headersTimeout: 0,
      bodyTimeout: 0,
      ...keepAliveTimeouts(this.#keepAliveMs()),
      keepAliveTimeoutThreshold: keepAliveMarginMs,
      pipelining: 1,
    }
    this.#pool = this.#newPool()
  }

  /** `fresh` uses a connection that served nothing before and is closed afterwards. */
  send(request: TransportRequest, events: RoundTripEvents, options: { fresh: boolean }): RoundTrip {
    const trip = new UndiciRoundTrip(events)
    this.#followKeepAlive()
    if (!options.fresh) {
      this.#pool.dispatch(request, trip)
      return trip
    }
    const client = new WatchedClient(this.#origin, this.#clientOptions)
    client.dispatch(request, trip)
    // Waits for the request by itself; a failure was told to the round trip already.
    client.close().catch(() => {})
    return trip
  }

  /** How long a connection may take from now on. */
  connectWithin(connectMsMax: number): void {
    if (connectMsMax === this.#connectMsMax) return
    this.#connectMsMax = connectMsMax
    this.#renew({ connector: this.#connectorOf(connectMsMax) })
  }

  /** Ends idle connections; running requests must have been aborted or ended before. */
  async close(): Promise<void> {
    await Promise.all([this.#pool, ...this.#retired].map((pool) => pool.destroy()))
  }

  /** The host's kind may have been told since the last request. */
  #followKeepAlive(): void {
    const timeouts = keepAliveTimeouts(this.#keepAliveMs())
    if (timeouts.keepAliveTimeout === this.#clientOptions.keepAliveTimeout) return
    this.#renew(timeouts)
  }

  /** What was connected before is used no more. */
  #renew(changed: Partial<WatchedClientOptions>): void {
    this.#clientOptions = { ...this.#clientOptions, ...changed }
    const before = this.#pool
    this.#pool = this.#newPool()
    this.#retired.add(before)
    // Waits for its requests; those are told by themselves of what fails.
    before.close().then(
      () => this.#retired.delete(before),
      () => this.#retired.delete(before),
    )
  }

  #newPool(): Pool {
    const options = this.#clientOptions
    return new Pool(this.#origin, { factory: (origin) => new WatchedClient(String(origin), options) })
  }
}

function keepAliveTimeouts(knownMs: number | undefined) {
  return { keepAliveTimeout: knownMs ?? keepAliveMsUnknown, keepAliveMaxTimeout: knownMs ?? keepAliveMsMax }
}

type WatchedClientOptions = Client.Options & { readonly connector: buildConnector.connector }

/** The connection of a client, as far as it has come. */
interface Connection {
  socket: Socket | null
  securing: boolean
}

/** A client that knows its socket, which tells whether a request was the first on its connection and how much of it was taken. */
class WatchedClient extends Client {
  readonly #holder: Connection

  constructor(origin: string, { connector, ...options }: WatchedClientOptions) {
    const holder: Connection = { socket: null, securing: false }
    super(origin, {
      ...options,
      connect: (target, callback) => {
        const connecting: unknown = connector(target, (...[error, socket]) => {
          const { securing } = holder
          holder.socket = socket
          holder.securing = false
          if (error === null) callback(error, socket)
          else callback(securing ? handshakeFailure(error) : error, socket)
        })
        if (!(connecting instanceof TLSSocket)) return
        connecting.once('connect', () => {
          holder.securing = true
        })
      },
    })
    this.#holder = holder
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof UndiciRoundTrip) handler.sockets = this.#holder
    return super.dispatch(options, handler)
  }
}

/** A host that takes connections and says nothing on them is not one that cannot be reached. */
function handshakeFailure(error: Error): Error {
  if (errorCode(error) !== 'UND_ERR_CONNECT_TIMEOUT') return error
  return Object.assign(new Error('the TLS handshake took too long'), { code: handshakeTimeoutCode })
}

/** undici's handler with all its methods in one shape, so that nothing is allocated per piece of an answer. */
class UndiciRoundTrip implements Dispatcher.DispatchHandler, RoundTrip {
  sockets: Readonly<Connection> = { socket: null, securing: false }
  readonly #events: RoundTripEvents
  #controller: Dispatcher.DispatchController | null = null
  #socket: Socket | null = null
  #bytesReadBefore = 0
  #headSeen = false
  #aborted = false
  #ended = false

  constructor(events: RoundTripEvents) {
    this.#events = events
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  abort(): void {
    if (this.#aborted || this.#ended) return
    this.#aborted = true
    if (this.#controller === null) {
      // Still connecting: the request is dropped in onRequestStart, before a byte of it is written.
      this.#fail('aborted', 'ABORTED')
    } else {
      this.#controller.abort(new Error('aborted'))
    }
  }

  get securing(): boolean {
    return this.#controller === null && this.sockets.securing
  }

  unsentBytes(): number {
    return this.#socket?.writableLength ?? 0
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#aborted) {
      controller.abort(new Error('aborted'))
      return
    }
    this.#controller = controller
    this.#socket = this.sockets.socket
    this.#bytesReadBefore = this.#socket?.bytesRead ?? 0
    this.#events.connected()
  }

  onRequestUpgrade(controller: Dispatcher.DispatchController): void {
    // We never ask for an upgrade, so a 101 is a fault of the host.
    this.#fail('protocol', 'UNASKED_UPGRADE')
    controller.abort(new Error('unasked upgrade'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: HeaderFields): void {
    // 102 and 103 come before the answer and say nothing that could be relayed.
    if (status < 200 || this.#ended) return
    // Names and values by turns.
    if (Array.isArray(controller.rawHeaders) && controller.rawHeaders.length > 2 * headersMax) {
      this.#fail('protocol', 'TOO_MANY_HEADERS')
      controller.abort(new Error('too many headers'))
      return
    }
    this.#headSeen = true
    this.#events.head(status, headers)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#ended) this.#events.data(chunk)
  }

  onResponseEnd(): void {
    if (this.#ended) return
    this.#ended = true
    // Answered before it had taken the request: it may never take the rest, and the next request would wait behind it.
    if (this.unsentBytes() > 0) this.#socket?.destroy()
    this.#events.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const code = errorCode(error)
    this.#fail(
      this.#aborted ? 'aborted' : failureKind(code, { connected: this.#controller !== null, head: this.#headSeen }),
      code,
    )
  }

  #fail(kind: FailureKind, code: string): void {
    if (this.#ended) return
    this.#ended = true
    const bytesRead = this.#socket?.bytesRead ?? 0
    this.#events.failed({
      kind,
      code,
      reusedSocket: this.#bytesReadBefore > 0,
      answered: bytesRead > this.#bytesReadBefore,
    })
  }
}
