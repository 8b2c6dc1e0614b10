/** TLS in front of a host that speaks plain HTTP, as good or as bad as a test wants the next handshake to be. */
import { connect, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Certified } from './certificates.ts'
import { type Listening, listen } from './servers.ts'

/** How the next connections are met: with a certificate, never with a word, with HTTP, or with a hang-up. */
export type Welcome = Certified | 'silence' | 'plain HTTP' | 'hang-up'

export class TlsFront {
  welcome: Welcome
  /** Connections that were met in this way. */
  met = 0
  /** Of those that were shown a certificate: how many sent something over it. */
  trusted = 0
  readonly #hostPort: number
  readonly #open = new Set<Socket>()
  #listening: Listening | undefined

  private constructor(hostUrl: string, welcome: Welcome) {
    this.#hostPort = Number(new URL(hostUrl).port)
    this.welcome = welcome
  }

  static async before(hostUrl: string, welcome: Welcome): Promise<TlsFront> {
    const front = new TlsFront(hostUrl, welcome)
    front.#listening = await listen(createServer((socket) => front.#meet(socket)))
    return front
  }

  get url(): string {
    return `https://127.0.0.1:${this.#listening?.port}`
  }

  /** Connections that are there are ended, and the next are met in this way. */
  change(welcome: Welcome): void {
    this.welcome = welcome
    this.met = 0
    this.trusted = 0
    for (const socket of this.#open) socket.destroy()
  }

  async close(): Promise<void> {
    await this.#listening?.close()
  }

  #meet(socket: Socket): void {
    const { welcome } = this
    this.met += 1
    this.#open.add(socket)
    socket.on('close', () => this.#open.delete(socket))
    socket.on('error', () => {})
    if (welcome === 'hang-up') socket.destroy()
    else if (welcome === 'plain HTTP') {
      socket.once('data', () =>
        socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
      )
    } else if (welcome !== 'silence') this.#secure(socket, welcome)
  }

  #secure(socket: Socket, { cert, key }: Certified): void {
    const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ cert, key }) })
    const host = connect({ host: '127.0.0.1', port: this.#hostPort })
    secured.once('data', () => {
      this.trusted += 1
    })
    secured.on('error', () => host.destroy())
    secured.on('close', () => host.destroy())
    host.on('error', () => socket.destroy())
    host.on('close', () => socket.destroy())
    secured.pipe(host)
    host.pipe(secured)
  }
}
