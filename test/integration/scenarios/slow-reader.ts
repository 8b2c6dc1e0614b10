/** A client that reads its answers by small pieces: the system holds the rest, and what it cannot hold stays with the sender. */
import { createConnection, type Socket } from 'node:net'
import { Changes } from '../../kit/changes.ts'

export class SlowReader {
  readonly socket: Socket
  bytesRead = 0
  ended = false
  readonly #changes = new Changes()
  readonly #timer: NodeJS.Timeout

  /** Reads at most `bytes` at once, and once in `everyMs`. */
  constructor(port: number, pace: { bytes: number; everyMs: number }) {
    const callback = (count: number): boolean => {
      this.bytesRead += count
      this.#changes.notify()
      // Takes no more until the next turn.
      return false
    }
    this.socket = createConnection({
      host: '127.0.0.1',
      port,
      onread: { buffer: Buffer.alloc(pace.bytes), callback },
    })
    this.#timer = setInterval(() => this.socket.resume(), pace.everyMs)
    const onEnd = (): void => {
      this.ended = true
      this.#changes.notify()
    }
    this.socket.on('error', onEnd).on('close', onEnd)
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Waits for the first bytes of an answer. */
  begun(ms = 10_000): Promise<void> {
    return this.#changes.until(ms, 'the first bytes of an answer', () => this.bytesRead > 0)
  }

  close(): void {
    clearInterval(this.#timer)
    this.socket.destroy()
  }
}
