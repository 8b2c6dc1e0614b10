/** TLS handshakes that clients have begun: bounded in time, and told off in words where a client speaks plain HTTP. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { LastWords } from './last-words.ts'

interface Handshake {
  readonly socket: Socket
  readonly timer: Timer
}

export interface HandshakesParts {
  readonly clock: Clock
  readonly lastWords: LastWords
  /** For a whole handshake; Node's own time-out of one begins again with every byte. */
  readonly msMax: number
}

export class Handshakes {
  readonly #parts: HandshakesParts
  readonly #begun = new Map<string, Handshake>()
  readonly #done = new WeakSet<Socket>()

  constructor(parts: HandshakesParts) {
    this.#parts = parts
  }

  begin(socket: Socket): void {
    const key = peerOf(socket)
    const timer = this.#parts.clock.after(this.#parts.msMax, () => socket.destroy())
    this.#begun.set(key, { socket, timer })
    socket.once('close', () => {
      if (this.#begun.get(key)?.socket === socket) this.#take(key)
    })
  }

  end(secured: TLSSocket): void {
    this.#done.add(secured)
    const begun = this.#take(peerOf(secured))
    if (begun === undefined) return
    // Node refuses it on TLS, where an answer that broke must not end in the orderly way either.
    secured.resetAndDestroy = () => {
      begun.socket.resetAndDestroy()
      return secured
    }
  }

  /** False where the handshake is over and the failure one of what came behind it. */
  failed(error: NodeJS.ErrnoException, secured: Socket): boolean {
    if (this.#done.has(secured)) return false
    const begun = this.#take(peerOf(secured))
    if (error.code === 'ERR_SSL_HTTP_REQUEST' && begun !== undefined)
      this.#parts.lastWords.say(begun.socket, notPlain())
    else secured.destroy()
    return true
  }

  /** None of them has asked for anything yet. */
  closeAll(): void {
    for (const { socket } of this.#begun.values()) socket.destroy()
  }

  #take(key: string): Handshake | undefined {
    const begun = this.#begun.get(key)
    begun?.timer.cancel()
    this.#begun.delete(key)
    return begun
  }
}

/** What is read from the connection before and behind the handshake has only this in common. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function notPlain(): GatewayError {
  return new GatewayError('invalid_request', 'This port speaks TLS: the URL begins with https://.')
}
