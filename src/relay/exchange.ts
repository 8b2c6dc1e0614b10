/** One client's request and the answer to it, from the first byte read to the last one written. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock, Timer } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import { errorAnswer } from '../wire/error-answer.ts'
import { type HeaderList, setHeader, setHeaders } from '../wire/header-list.ts'
import type { HeaderFields } from '../wire/headers.ts'
import { type BodyLimits, type BodyOwner, BodyReader } from './body-reader.ts'
import { ChunkWriter } from './chunk-writer.ts'
import { Watchdog } from './watchdog.ts'

/** How much of a refused body is still read, so that the client gets to see the answer before the connection closes. */
const refusedBodyBytesMax = 65_536
const refusedBodyMsMax = 1_000
/** How long a client that does not read is waited for, before an answer that broke is cut without its last frame. */
const cutMsMax = 5_000

export interface ExchangeParts {
  readonly clock: Clock
  readonly requestId: string
  /** Those that its answer has whatever it is; more are added. None where they were given to Node's response. */
  readonly headers?: HeaderList
}

/** Who is told what becomes of the client. */
export interface ExchangeListener {
  /** Once when the client leaves before its answer is whole. */
  onLeave(): void
  /** Once when the last bytes of a whole answer are out: until then its client may still leave, or stop reading. */
  onTaken(): void
  /** When a client that read too slowly takes more again. */
  onDrain(): void
  /** Once when a client has taken nothing for `stallMsMax`; its connection is closed already. */
  onStall(): void
}

export class Exchange {
  readonly requestId: string
  readonly acceptedAtMs: number
  listener: ExchangeListener | null = null
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
  /** Of the answer, those of its head included. */
  readonly #headers: HeaderList
  /** Null where it was never waited for. */
  #stall: Watchdog | null = null
  /** Null until a piece of an answer is written: one that comes whole needs none. */
  #pieces: ChunkWriter | null = null
  /** Behind another answer on the same connection; its client has had nothing to read yet. */
  #awaitsTurn = false

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, { clock, requestId, headers = [] }: ExchangeParts) {
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#clock = clock
    this.#headers = headers
    this.requestId = requestId
    this.acceptedAtMs = clock.now()
    outgoing.on('close', () => this.#closed())
    // A connection that breaks while we write is a client that leaves; 'close' tells of it.
    outgoing.on('error', ignore)
    incoming.on('error', ignore)
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

  /** Reads the whole body, its bytes taken from the budget as they come; whoever gets it gives them back. */
  readBody(limits: BodyLimits, owner: BodyOwner): void {
    new BodyReader(this.#incoming, limits, this.#clock, owner).begin()
  }

  /** Headers for whatever answer follows. */
  setHeaders(headers: Readonly<Record<string, string>>): void {
    if (!this.committed) setHeaders(this.#headers, headers)
  }

  /** Status and headers; `headers` and `more` behind them are added to those set before. */
  head(status: number, headers: Readonly<Record<string, string>>, more?: Readonly<Record<string, string>>): void {
    if (this.#left) return
    setHeaders(this.#headers, headers)
    if (more !== undefined) setHeaders(this.#headers, more)
    this.#outgoing.writeHead(status, this.#headers)
    this.#framed = headers['content-length'] !== undefined || this.#outgoing.chunkedEncoding
  }

  /** False when the client takes no more for now: stop until the listener's `onDrain`. */
  write(bytes: Buffer): boolean {
    if (this.#left) return true
    this.#pieces ??= this.#newPieces()
    if (this.#pieces.write(bytes)) return true
    this.#watchReader()
    return false
  }

  /** The answer is whole. */
  end(bytes?: Buffer): void {
    if (this.#left) return
    if (bytes === undefined) this.#outgoing.end()
    else this.#outgoing.end(bytes)
    // Where all of it was taken at once there is nobody to wait for.
    if (this.#outgoing.writableLength > 0) this.#watchReader()
  }

  /** A whole error answer, while nothing else was sent; an unread body is refused together with it. */
  fail(error: GatewayError, anthropic: boolean): void {
    this.#over = true
    if (this.#left) return
    const { status, headers, body } = errorAnswer(error, anthropic)
    const bytes = Buffer.from(body)
    setHeaders(this.#headers, headers)
    setHeader(this.#headers, 'content-length', String(bytes.length))
    if (this.#incoming.complete) {
      this.#outgoing.writeHead(status, this.#headers)
      this.end(bytes)
    } else {
      setHeader(this.#headers, 'connection', 'close')
      this.#outgoing.writeHead(status, this.#headers)
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

  /** The one sign of a client leaving that Node gives in every state, pipelined requests included; also that it has taken all. */
  #closed(): void {
    this.#stall?.clear()
    this.#pieces?.stop()
    if (this.#outgoing.writableFinished) {
      this.listener?.onTaken()
    } else if (!this.#over) {
      this.#left = true
      this.listener?.onLeave()
    }
  }

  #newPieces(): ChunkWriter {
    const onDrain = (): void => {
      this.#stall?.clear()
      this.listener?.onDrain()
    }
    this.#outgoing.on('drain', onDrain)
    return new ChunkWriter(this.#outgoing, onDrain)
  }

  /** A client that reads nothing must not hold a slot of a host for as long as a stream may take. */
  #watchReader(): void {
    this.#stall?.clear()
    if (this.#outgoing.socket === null) {
      if (!this.#awaitsTurn) this.#outgoing.once('socket', () => this.#watchReader())
      this.#awaitsTurn = true
      return
    }
    this.#stall ??= new Watchdog(this.#clock)
    this.#stall.set(this.stallMsMax, () => {
      this.#over = true
      this.#incoming.socket.destroy()
      this.listener?.onStall()
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

function ignore(): void {}
