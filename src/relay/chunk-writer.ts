/**
 * Writes the pieces of a chunked answer straight to the connection of its client, each in one buffer with its frame.
 * Node's own way takes four writes, a turn and a closure for each piece, which is a fifth of what a token costs.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Beyond this a copy costs more than three writes in one system call. */
const joinedBytesMax = 16_384
const CR = 13
const LF = 10
const lineEnd = Buffer.from('\r\n')

export class ChunkWriter {
  readonly #outgoing: ServerResponse
  readonly #onDrain: () => void
  /** Null where frames of our own would be wrong: in an answer without chunks, and in one that waits behind another. */
  #socket: Socket | null = null
  #begun = false
  #awaitsDrain = false

  /** `onDrain` is called when a client that read too slowly takes more again; of Node's own writes the response tells. */
  constructor(outgoing: ServerResponse, onDrain: () => void) {
    this.#outgoing = outgoing
    this.#onDrain = onDrain
  }

  /** False when the client takes no more for now: stop until `onDrain`. The head must have been given before. */
  write(bytes: Buffer): boolean {
    if (!this.#begun) return this.#begin(bytes)
    const socket = this.#socket
    // A connection that is gone is the response's to know; an empty frame would be the last one.
    if (socket === null || !socket.writable || bytes.length === 0) return this.#outgoing.write(bytes)
    return this.#send(socket, bytes)
  }

  /** The connection may serve another answer from now on. */
  stop(): void {
    if (this.#awaitsDrain) this.#socket?.off('drain', this.#drained)
    this.#awaitsDrain = false
    this.#socket = null
  }

  /** The head goes in one write with the first piece. */
  #begin(bytes: Buffer): boolean {
    const outgoing = this.#outgoing
    const { socket } = outgoing
    this.#begun = true
    if (socket === null || !outgoing.chunkedEncoding) return outgoing.write(bytes)
    this.#socket = socket
    socket.cork()
    outgoing.flushHeaders()
    const isTaken = this.write(bytes)
    socket.uncork()
    return isTaken
  }

  #send(socket: Socket, bytes: Buffer): boolean {
    if (bytes.length > joinedBytesMax ? writeApart(socket, bytes) : socket.write(chunkOf(bytes))) return true
    // Node tells a response of the drain of its own writes only.
    if (!this.#awaitsDrain) socket.once('drain', this.#drained)
    this.#awaitsDrain = true
    return false
  }

  readonly #drained = (): void => {
    this.#awaitsDrain = false
    if (!this.#outgoing.writableEnded) this.#onDrain()
  }
}

/** The size in hexadecimal digits, the bytes, and a line end behind both. */
function chunkOf(bytes: Buffer): Buffer {
  const { length } = bytes
  const digits = hexDigits(length)
  const chunk = Buffer.allocUnsafe(digits + length + 4)
  // By hand, since a string and its encoding cost more than the rest of this.
  for (let at = digits - 1, rest = length; at >= 0; at--, rest >>>= 4) {
    const digit = rest & 15
    chunk[at] = digit < 10 ? 48 + digit : 87 + digit
  }
  chunk[digits] = CR
  chunk[digits + 1] = LF
  chunk.set(bytes, digits + 2)
  chunk[digits + 2 + length] = CR
  chunk[digits + 3 + length] = LF
  return chunk
}

function hexDigits(value: number): number {
  let digits = 1
  for (let rest = value >>> 4; rest > 0; rest >>>= 4) digits++
  return digits
}

function writeApart(socket: Socket, bytes: Buffer): boolean {
  socket.cork()
  socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
  socket.write(bytes)
  const isTaken = socket.write(lineEnd)
  socket.uncork()
  return isTaken
}
