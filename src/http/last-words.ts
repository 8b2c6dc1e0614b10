/** An error as the last thing that is said on a connection, where there is no request that it could answer. */
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import { errorAnswer } from '../wire/error-answer.ts'

/** How long what a client still sends is read and dropped: closed at once, its system would throw our answer away. */
const lingerMsMax = 1_000
/** Of those that are being told off at the same time; in a flood of them the rest gets no answer. */
const lingeringMax = 64

export class LastWords {
  readonly #clock: Clock
  readonly #lingering = new Set<Socket>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Nothing that comes on this connection counts any more. */
  said(socket: Socket): boolean {
    return this.lingers(socket) || !socket.writable
  }

  /** It is closed as soon as its client has had the time to read. */
  lingers(socket: Socket): boolean {
    return this.#lingering.has(socket)
  }

  say(socket: Socket, error: GatewayError): void {
    if (this.said(socket) || this.#lingering.size >= lingeringMax) {
      if (!this.lingers(socket)) socket.destroy()
      return
    }
    this.#lingering.add(socket)
    const timer = this.#clock.after(lingerMsMax, () => socket.destroy())
    // What a client does to a connection that is closing is no news.
    socket.on('error', () => {})
    socket.on('end', () => socket.destroySoon())
    socket.on('close', () => {
      timer.cancel()
      this.#lingering.delete(socket)
    })
    socket.end(answerText(error))
    // After a half-close nothing more can come.
    if (socket.readableEnded) socket.destroySoon()
    else socket.resume()
  }
}

function answerText(error: GatewayError): string {
  const { status, headers, body } = errorAnswer(error, false)
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${status} ${reasonPhrases[status] ?? 'Error'}\r\n${head}\r\n${body}`
}

const reasonPhrases: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
}
