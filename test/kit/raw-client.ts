/**
 * An HTTP client without opinions: it sends exactly the bytes it is given, keeps exactly the bytes that came, and
 * knows what no library tells: when each piece came, whether the final chunk came, and how the connection ended.
 */

import { createConnection, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'
import { Changes } from './changes.ts'
import { type HttpMessage, MessageReader } from './http-message.ts'
import { within } from './within.ts'

export type ConnectionEnd = 'fin' | 'reset'

interface RawClientOptions {
  /** Every request on this connection is a HEAD, whose answer has no body. */
  bodyless?: boolean
  /** Address of this machine that the connection comes from: 127.0.0.2. */
  from?: string
  /** Over TLS. */
  tls?: ConnectionOptions
}

export class RawClient {
  readonly socket: Socket
  /** How the server ended the connection, once it did. */
  endedBy: ConnectionEnd | undefined
  /** What carries the bytes: the same, or what lies under TLS. */
  readonly #wire: Socket
  readonly #reader: MessageReader
  readonly #received: Buffer[] = []
  readonly #changes = new Changes()
  #failure: Error | undefined
  #taken = 0

  private constructor(socket: Socket, wire: Socket, options: RawClientOptions) {
    this.socket = socket
    this.#wire = wire
    this.#reader = new MessageReader('response', options)
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#onData(bytes))
    socket.on('end', () => this.#onEnd('fin'))
    socket.on('error', () => this.#onEnd('reset'))
    socket.on('close', () => this.#changes.notify())
  }

  /** The connection stays open for writing when the server ends its side: what happens then is part of the test. */
  static async open(port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const { from: localAddress, tls } = options
    const wire = createConnection({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true })
    const socket = tls === undefined ? wire : connectSecurely({ socket: wire, ...tls })
    await within(
      5_000,
      `a connection to port ${port}`,
      new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
          socket.off('error', reject)
          resolve()
        })
      }),
    )
    return new RawClient(socket, wire, options)
  }

  /** All bytes that came, framing included. */
  get received(): Buffer {
    return Buffer.concat(this.#received)
  }

  /** Resolves when the system took the bytes. */
  async send(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => (error == null ? resolve() : reject(error)))
    })
  }

  /** The next answer on this connection, as soon as its head came; 1xx answers count. */
  async response(ms = 5_000): Promise<HttpMessage> {
    const index = this.#taken
    await this.#changes.until(
      ms,
      `the head of answer ${index + 1}`,
      () => this.#over || this.#answer(index) !== undefined,
    )
    if (this.#failure !== undefined) throw this.#failure
    const answer = this.#answer(index)
    if (answer === undefined)
      throw new Error(
        `the connection ended (${this.endedBy}) before answer ${index + 1}; received: ${this.received.toString()}`,
      )
    this.#taken += 1
    return answer
  }

  /** Waits until the server ended the connection, and says how. */
  async closed(ms = 5_000): Promise<ConnectionEnd> {
    await this.#changes.until(ms, 'the end of the connection', () => this.endedBy !== undefined)
    return this.endedBy ?? 'fin'
  }

  /** Ends our side only. */
  halfClose(): void {
    this.socket.end()
  }

  /** Leaves with RST, as a killed program or a lost network does. */
  resetAndDestroy(): void {
    this.#wire.resetAndDestroy()
  }

  close(): void {
    this.socket.destroy()
  }

  get #over(): boolean {
    return this.endedBy !== undefined || this.#failure !== undefined
  }

  #answer(index: number): HttpMessage | undefined {
    return this.#reader.messages[index]
  }

  #onData(bytes: Buffer): void {
    this.#received.push(bytes)
    try {
      if (this.#failure === undefined) this.#reader.feed(bytes, performance.now())
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#reader.end(this.#failure.message)
    }
    this.#changes.notify()
  }

  #onEnd(endedBy: ConnectionEnd): void {
    this.endedBy ??= endedBy
    this.#reader.end('the connection ended')
    this.#changes.notify()
  }
}
