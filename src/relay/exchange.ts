/** One client's request and the answer to it, from the first byte read to the last one written. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { ByteBudget } from '../queue/byte-budget.ts'
import { errorAnswer } from '../wire/error-answer.ts'
import type { HeaderFields } from '../wire/headers.ts'

/** How much of a refused body is still read, so that the client gets to see the answer before the connection closes. */
const refusedBodyBytesMax = 65_536
const refusedBodyMsMax = 1_000
/** How long a client that does not read is waited for, before an answer that broke is cut without its last frame. */
const cutMsMax = 5_000

/** The client left before its request was whole. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

export class Exchange {
  readonly requestId: string
  readonly acceptedAtMs: number
  /** Called once when the client leaves before its answer is whole. */
  onLeave: (() => void) | null = null
  /** Called when a client that read too slowly takes more again. */
  onDrain: (() => void) | null = null
  readonly #clock: Clock
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  #left = false
  #over = false

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, parts: { clock: Clock; requestId: string }) {
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#clock = parts.clock
    this.requestId = parts.requestId
    this.acceptedAtMs = parts.clock.now()
    // The one sign of a client leaving that Node gives in every state, pipelined requests included.
    outgoing.on('close', () => {
      if (outgoing.writableFinished || this.#over) return
      this.#left = true
      this.onLeave?.()
    })
    outgoing.on('drain', () => this.onDrain?.())
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
  readBody(limits: { bytesMax: number; msMax: number; budget: ByteBudget }): Promise<Buffer> {
    const { bytesMax, msMax, budget } = limits
    const declared = Number(this.headers['content-length'] ?? 0)
    if (declared > bytesMax) return Promise.reject(tooLarge(bytesMax))
    const incoming = this.#incoming
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let size = 0
      const settle = (done: () => void): void => {
        timer.cancel()
        incoming.off('data', onData).off('end', onEnd).off('close', onClose)
        done()
      }
      const fail = (error: Error): void =>
        settle(() => {
          budget.give(size)
          reject(error)
        })
      const timer = this.#clock.after(msMax, () => fail(new GatewayError('request_timeout', 'The body took too long.')))
      const onData = (chunk: Buffer): void => {
        if (size + chunk.length > bytesMax) fail(tooLarge(bytesMax))
        else if (!budget.take(chunk.length)) fail(overBudget())
        else {
          size += chunk.length
          chunks.push(chunk)
        }
      }
      const onEnd = (): void =>
        settle(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
      const onClose = (): void => fail(new ClientLeft())
      if (this.#left || incoming.destroyed) onClose()
      else incoming.on('data', onData).on('end', onEnd).on('close', onClose)
    })
  }

  /** Headers for whatever answer follows. */
  setHeaders(headers: Readonly<Record<string, string>>): void {
    if (this.committed || this.#left) return
    for (const [name, value] of Object.entries(headers)) this.#outgoing.setHeader(name, value)
  }

  /** Status and headers; `headers` are added to those set before. */
  head(status: number, headers: Readonly<Record<string, string>>): void {
    if (!this.#left) this.#outgoing.writeHead(status, { ...headers })
  }

  /** False when the client takes no more for now: stop until `onDrain`. */
  write(bytes: Buffer): boolean {
    return this.#left || this.#outgoing.write(bytes)
  }

  /** The answer is whole. */
  end(bytes?: Buffer): void {
    this.#over = true
    if (this.#left) return
    if (bytes === undefined) this.#outgoing.end()
    else this.#outgoing.end(bytes)
  }

  /** A whole error answer, while nothing else was sent; an unread body is refused together with it. */
  fail(error: GatewayError, anthropic: boolean): void {
    if (this.#left) return
    const { status, headers, body } = errorAnswer(error, anthropic)
    const bytes = Buffer.from(body)
    const length = { 'content-length': String(bytes.length) }
    if (this.#incoming.complete) {
      this.#outgoing.writeHead(status, { ...headers, ...length })
      this.end(bytes)
    } else {
      this.#over = true
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
    const { socket } = this.#incoming
    const timer = this.#clock.after(cutMsMax, () => socket.destroy())
    this.#outgoing.write(lastFrame, () => {
      timer.cancel()
      socket.destroySoon()
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

function tooLarge(bytesMax: number): GatewayError {
  return new GatewayError('request_too_large', `The request body is larger than ${bytesMax} bytes.`)
}

function overBudget(): GatewayError {
  return new GatewayError('queue_full', 'The waiting requests hold too many bytes already.', { retryAfterMs: 5_000 })
}
