/**
 * An inference host that misbehaves by the byte: it plays scripts of bytes, pauses, resets and half-closes on raw
 * sockets, and keeps what it received and how its peer left. Requests by GET (probes, model lists) are answered
 * soundly, so that a gateway takes it for a host; every other request plays a script.
 */

import { createServer, type Socket } from 'node:net'
import { Changes } from './changes.ts'
import { jsonResponseBytes } from './http-bytes.ts'
import { type HttpMessage, MessageReader } from './http-message.ts'
import type { ConnectionEnd } from './raw-client.ts'
import { type Listening, listen } from './servers.ts'
import { WrittenAnswer } from './written-answer.ts'

/** Stands still until the test calls `step()` of the exchange. */
export const pause = Symbol('pause')
/** Leaves with RST. */
export const reset = Symbol('reset')
/** Ends the sending side; what the peer still sends is read. */
export const halfClose = Symbol('half-close')
/** Waits until the whole request came. */
export const wholeRequest = Symbol('whole request')

/** Waits until the peer has closed the connection, which nothing else ends. */
export const peerLeaves = Symbol('peer leaves')

export type ScriptStep =
  | string
  | Uint8Array
  | typeof pause
  | typeof reset
  | typeof halfClose
  | typeof wholeRequest
  | typeof peerLeaves

export interface ChaosHostOptions {
  /** Names in the answer to `GET /v1/models`. */
  models?: readonly string[]
  /** Bodies of other GET paths; a path that is not here is 404. */
  get?: Readonly<Record<string, unknown>>
  /** A connection on which a GET was answered is not kept: the scripted request that follows comes on a new one. */
  closesAfterGet?: boolean
}

export class ChaosHost {
  /** Scripted requests in the order in which their heads came. */
  readonly exchanges: Exchange[] = []
  /** Everything else that was asked, as "METHOD path". */
  readonly soundRequests: string[] = []
  connectionsOpened = 0
  readonly #options: ChaosHostOptions
  readonly #scripts: (readonly ScriptStep[])[] = []
  readonly #connectionScripts: (readonly ScriptStep[])[] = []
  readonly #changes = new Changes()
  readonly #open = new Set<Socket>()
  #listening: Listening | undefined
  #everyScript: readonly ScriptStep[] | undefined

  private constructor(options: ChaosHostOptions) {
    this.#options = options
  }

  static async start(options: ChaosHostOptions = {}): Promise<ChaosHost> {
    const host = new ChaosHost(options)
    // Half-open, so that a peer's FIN is seen and answered by the script alone.
    host.#listening = await listen(createServer({ allowHalfOpen: true }, (socket) => host.#onConnection(socket)))
    return host
  }

  get url(): string {
    return this.#listening?.url ?? ''
  }

  get connectionsOpen(): number {
    return this.#open.size
  }

  /** Plays `steps` for the next request that has no script yet. */
  play(...steps: readonly ScriptStep[]): void {
    this.#scripts.push(steps)
  }

  /** Plays `steps` for every request that has no script of its own. */
  playAlways(...steps: readonly ScriptStep[]): void {
    this.#everyScript = steps
  }

  /** Plays `steps` as soon as the next connection opens, whatever it asks; no request is answered on it. */
  playOnConnection(...steps: readonly ScriptStep[]): void {
    this.#connectionScripts.push(steps)
  }

  /** The nth scripted exchange, from 0, as soon as it began. */
  async exchange(index = 0, ms = 5_000): Promise<Exchange> {
    await this.#changes.until(ms, `scripted request ${index + 1}`, () => this.exchanges.length > index)
    const exchange = this.exchanges[index]
    if (exchange === undefined) throw new Error('unreachable: the exchange was there')
    return exchange
  }

  async close(): Promise<void> {
    await this.#listening?.close()
  }

  #onConnection(socket: Socket): void {
    this.connectionsOpened += 1
    this.#open.add(socket)
    socket.setNoDelay(true)
    const script = this.#connectionScripts.shift()
    const connection = new Connection(socket, (request) => this.#onRequest(connection, request))
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#changes.notify()
    })
    if (script === undefined) return
    connection.deaf = true
    this.#begin(new Exchange(connection, undefined), script)
  }

  #onRequest(connection: Connection, request: HttpMessage): void {
    if (request.method === 'GET' || request.method === 'HEAD') this.#answerSoundly(connection, request)
    else this.#begin(new Exchange(connection, request), this.#scripts.shift() ?? this.#everyScript ?? noScript)
  }

  #begin(exchange: Exchange, script: readonly ScriptStep[]): void {
    this.exchanges.push(exchange)
    void exchange.run(script)
    this.#changes.notify()
  }

  #answerSoundly(connection: Connection, request: HttpMessage): void {
    this.soundRequests.push(`${request.method} ${request.path}`)
    connection.answering = undefined
    const models = (this.#options.models ?? []).map((id) => ({ id, object: 'model', created: 0, owned_by: 'chaos' }))
    const list = { object: 'list', data: models }
    const body = request.path === '/v1/models' ? list : this.#options.get?.[request.path]
    const headers = this.#options.closesAfterGet === true ? { connection: 'close' } : {}
    const [status, sent] = body === undefined ? [404, {}] : [200, body]
    void connection.write(jsonResponseBytes(status, sent, headers))
  }
}

const noScript: readonly ScriptStep[] = [
  wholeRequest,
  jsonResponseBytes(500, { error: { message: 'the test wrote no script for this request' } }),
]

/** One scripted request, or one scripted connection. */
export class Exchange {
  /** What was asked; its body may still be on its way. Undefined when the script began with the connection. */
  readonly request: HttpMessage | undefined
  readonly connection: Connection
  /** The script was played to its end. */
  done = false
  /** What the host said to it, whoever wrote it. */
  readonly written = new WrittenAnswer()
  #paused = false
  #goOn: (() => void) | undefined
  readonly #changes = new Changes()

  constructor(connection: Connection, request: HttpMessage | undefined) {
    this.connection = connection
    this.request = request
  }

  /** Waits until the script stands at a `pause`, then lets it go on. */
  async step(ms = 5_000): Promise<void> {
    await this.paused(ms)
    this.#paused = false
    this.#goOn?.()
  }

  /** Waits until the script stands at a `pause`: all that comes before it was handed to the system. */
  async paused(ms = 5_000): Promise<void> {
    await this.#changes.until(ms, 'the next pause of the script', () => this.#paused || this.done)
    if (!this.#paused) throw new Error('the script has no further pause')
  }

  /** Waits until the peer left, and says how. */
  async peerLeft(ms = 5_000): Promise<ConnectionEnd> {
    return this.connection.peerLeft(ms)
  }

  async run(script: readonly ScriptStep[]): Promise<void> {
    this.connection.scriptsRunning += 1
    this.connection.answering = this.written
    for (const step of script) await this.#play(step)
    this.connection.scriptsRunning -= 1
    this.connection.endIfLeft()
    this.done = true
    this.#changes.notify()
  }

  async #play(step: ScriptStep): Promise<void> {
    switch (step) {
      case pause:
        this.#paused = true
        this.#changes.notify()
        await new Promise<void>((resolve) => {
          this.#goOn = resolve
        })
        return
      case reset:
        this.written.end()
        this.connection.socket.resetAndDestroy()
        return
      case halfClose:
        this.written.end()
        this.connection.socket.end()
        return
      case wholeRequest:
        await this.request?.over()
        return
      case peerLeaves:
        await this.connection.peerGone
        return
      default:
        await this.connection.write(step)
    }
  }
}

/** One connection as the host sees it. */
class Connection {
  readonly socket: Socket
  readonly openedAtMs: number = performance.now()
  /** Bytes that came, framing included. */
  readonly received: Buffer[] = []
  /** Bytes are kept, not read as requests. */
  deaf = false
  /** Keeps what is written. */
  answering: WrittenAnswer | undefined
  scriptsRunning = 0
  peerEndedBy: ConnectionEnd | undefined
  peerEndedAtMs: number | undefined
  /** Never rejects; a test that waits for it has its own limit. */
  readonly peerGone: Promise<void>
  readonly #reader = new MessageReader('request')
  readonly #onRequest: (request: HttpMessage) => void
  readonly #changes = new Changes()
  #announced = 0

  constructor(socket: Socket, onRequest: (request: HttpMessage) => void) {
    this.socket = socket
    this.#onRequest = onRequest
    socket.on('data', (bytes: Buffer) => this.#onData(bytes))
    socket.on('end', () => this.#onPeerEnd('fin'))
    socket.on('error', () => this.#onPeerEnd('reset'))
    this.peerGone = new Promise((resolve) => {
      for (const event of ['end', 'close'] as const) socket.once(event, () => resolve())
    })
  }

  /** Resolves when the system took the bytes, or when there is nobody left to take them. */
  async write(bytes: string | Uint8Array): Promise<void> {
    if (!this.socket.writable) return
    this.answering?.take(bytes)
    await new Promise<void>((resolve) => {
      this.socket.write(bytes, () => resolve())
    })
  }

  async peerLeft(ms = 5_000): Promise<ConnectionEnd> {
    await this.#changes.until(ms, 'the peer to leave', () => this.peerEndedBy !== undefined)
    return this.peerEndedBy ?? 'fin'
  }

  /** A peer that closed gets a close in return, unless a script still has something to say to it. */
  endIfLeft(): void {
    if (this.peerEndedBy !== undefined && this.scriptsRunning === 0) this.socket.end()
  }

  #onData(bytes: Buffer): void {
    this.received.push(bytes)
    if (this.deaf) return
    this.#reader.feed(bytes, performance.now())
    const { messages } = this.#reader
    while (this.#announced < messages.length) {
      const request = messages[this.#announced]
      this.#announced += 1
      if (request !== undefined) this.#onRequest(request)
    }
  }

  #onPeerEnd(endedBy: ConnectionEnd): void {
    this.peerEndedBy ??= endedBy
    this.peerEndedAtMs ??= performance.now()
    this.#reader.end('the peer left')
    this.endIfLeft()
    this.#changes.notify()
  }
}
