/** One client's request and the answer to it, from the first byte read to the last one written. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock, Timer } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import { errorAnswer } from '../wire/error-answer.ts'
import type { HeaderFields } from '../wire/headers.ts'
import { type BodyLimits, BodyReader } from './body-reader.ts'
import { ChunkWriter } from './chunk-writer.ts'
import { Watchdog } from './watchdog.ts'

/** How much of a refused body is still read, so that the client gets to see the answer before the connection closes. */
const refusedBodyBytesMax = 65_536
const refusedBodyMsMax = 1_000
/** How long a client that does not read is waited for, before an answer that broke is cut without its last frame. */
const cutMsMax = 5_000

export class Exchange {
  readonly requestId: string
  readonly acceptedAtMs: number
  /** Called once when the client leaves before its answer is whole. */
  onLeave: (() => void) | null = null
  /** Called once when the last bytes of a whole answer are out: until then its client may still leave, or stop reading. */
  onTaken: (() => void) | null = null
  /** Called when a client that read too slowly takes more again. */
  onDrain: (() => void) | null = null
  /** Called once when a client has taken nothing for `stallMsMax`; its connection is closed already. */
  onStall: (() => void) | null = null
  /** How long a client may take to empty what waits for it; at most some 300 kB do. The relay sets its own option. */
  stallMsMax = 30_000
  readonly #clock: Clock
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  #left = false
  /** It is over for its client by our own doing, who has nothing to tell any more. */
  #over = false
  /** The length was announced, or the answer is chunked: a client can tell where it should end. */
  #framed = false
  readonly #stall: Watchdog
  readonly #body: ChunkWriter
  /** Behind another answer on the same connection; its client has had nothing to read yet. */
  #awaitsTurn = false

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, parts: { clock: Clock; requestId: string }) {
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#clock = parts.clock
    this.#stall = new Watchdog(parts.clock)
    this.requestId = parts.requestId
    this.acceptedAtMs = parts.clock.now()
    const onDrain = (): void => {
      this.#stall.clear()
      this.onDrain?.()
    }
    this.#body = new ChunkWriter(outgoing, onDrain)
    // The one sign of a client leaving that Node gives in every state, pipelined requests included.
    outgoing.on('close', () => {
      this.#stall.clear()
      this.#body.stop()
      if (outgoing.writableFinished || this.#over) return
      this.#left = true
      this.onLeave?.()
    })
    outgoing.on('finish', () => {
      this.#stall.clear()
      this.#body.stop()
      this.onTaken?.()
    })
    outgoing.on('drain', onDrain)
    // A connection that breaks while we write is a client that leaves; 'close' tells of it.
    outgoing.on('error', () => {})
    incoming.on('error', () => {})
  }

  get headers(): HeaderFields {
    return this.#incoming.headers
  }

  get left(): boolean {
    return this.#left
  }

  /** Status and headers are out: an error can no longer have a status of its own. */
  get committed(): boolean {
    return this.#outgoing.headersSent
  }

  /**
   * The whole body, its bytes taken from the budget as they come; whoever gets it gives them back.
   * Rejects with ClientLeft, or with a GatewayError for a body that is too large, too slow or over the budget.
   */
  readBody(limits: BodyLimits): Promise<Buffer> {
    return new BodyReader(this.#incoming, limits, this.#clock).read()
  }

  /** Headers for whatever answer follows. */
  setHeaders(headers: Readonly<Record<string, string>>): void {
    if (this.committed || this.#left) return
    for (const [name, value] of Object.entries(headers)) this.#outgoing.setHeader(name, value)
  }

  /** Status and headers; `headers` are added to those set before. */
  head(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.#left) return
    this.#outgoing.writeHead(status, { ...headers })
    this.#framed = headers['content-length'] !== undefined || this.#outgoing.chunkedEncoding
  }

  /** False when the client takes no more for now: stop until `onDrain`. */
  write(bytes: Buffer): boolean {
    if (this.#left || this.#body.write(bytes)) return true
    this.#watchReader()
    return false
  }

  /** The answer is whole. */
  end(bytes?: Buffer): void {
    if (this.#left) return
    if (bytes === undefined) this.#outgoing.end()
    else this.#outgoing.end(bytes)
    if (!this.#outgoing.writableFinished) this.#watchReader()
  }

  /** A whole error answer, while nothing else was sent; an unread body is refused together with it. */
  fail(error: GatewayError, anthropic: boolean): void {
    this.#over = true
    if (this.#left) return
    const { status, headers, body } = errorAnswer(error, anthropic)
    const bytes = Buffer.from(body)
    const length = { 'content-length': String(bytes.length) }
    if (this.#incoming.complete) {
      this.#outgoing.writeHead(status, { ...headers, ...length })
      this.end(bytes)
    } else {
      this.#outgoing.writeHead(status, { ...headers, ...length, connection: 'close' })
      this.#outgoing.write(bytes)
      this.#endAfterLeftover()
    }
  }

  /**
   * Ends an answer that broke after it began: one last frame, then the connection closes without the final chunk,
   * so that plain HTTP clients see the break too.
   */
  cut(lastFrame: string): void {
    this.#over = true
    if (this.#left) return
    const outgoing = this.#outgoing
    const { socket } = this.#incoming
    let timer: Timer | null = null
    const arm = (): void => {
      timer = this.#clock.after(cutMsMax, () => socket.destroy())
    }
    // Behind another answer on the same connection it has to wait for that one first.
    if (outgoing.socket === null) outgoing.once('socket', arm)
    else arm()
    outgoing.write(lastFrame, () => {
      timer?.cancel()
      // Where only the end of the connection ends an answer (HTTP/1.0), an orderly end would make it look whole.
      if (this.#framed) socket.destroySoon()
      else socket.resetAndDestroy()
    })
  }

  /** A client that reads nothing must not hold a slot of a host for as long as a stream may take. */
  #watchReader(): void {
    this.#stall.clear()
    if (this.#outgoing.socket === null) {
      if (!this.#awaitsTurn) this.#outgoing.once('socket', () => this.#watchReader())
      this.#awaitsTurn = true
      return
    }
    this.#stall.set(this.stallMsMax, () => {
      this.#over = true
      this.#incoming.socket.destroy()
      this.onStall?.()
    })
  }

  /** Closing at once would reset the connection under a client that still sends, and the answer would be lost. */
  #endAfterLeftover(): void {
    let leftover = 0
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      timer.cancel()
      this.#outgoing.end()
    }
    const timer = this.#clock.after(refusedBodyMsMax, end)
    this.#incoming.on('end', end).on('close', end)
    this.#incoming.on('data', (chunk: Buffer) => {
      leftover += chunk.length
      if (leftover > refusedBodyBytesMax) {
        this.#incoming.pause()
        end()
      }
    })
  }
}
