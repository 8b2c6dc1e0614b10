/** A host that is up and then takes no connection any more: its thread sleeps, and the kernel's line before it is full. */

import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { within } from './within.ts'

/** What the thread says: where it listens, that it took a connection, or what it was asked. */
export type DeafHostNews = { readonly port: number } | 'connection' | { readonly request: string }

/** A connection to loopback that takes longer than this is not being accepted. */
const notAcceptedMs = 300
/** A backlog of 1 holds two on Linux; other systems round it up. */
const fillersMax = 64

export class DeafHost {
  /** Everything that was asked, as "METHOD path". */
  readonly requests: string[] = []
  port = 0
  connectionsTaken = 0
  readonly #asleep = new Int32Array(new SharedArrayBuffer(4))
  readonly #thread: Worker
  readonly #fillers: Socket[] = []

  private constructor() {
    this.#thread = new Worker(new URL('deaf-host-thread.ts', import.meta.url), { workerData: this.#asleep })
  }

  /** Starts it with its ears open: probes are answered, on connections that close after one answer. */
  static async start(): Promise<DeafHost> {
    const host = new DeafHost()
    await within(
      10_000,
      'the port of the deaf host',
      new Promise<void>((resolve, reject) => {
        host.#thread.once('error', reject)
        host.#thread.on('message', (news: DeafHostNews) => {
          if (news === 'connection') host.connectionsTaken += 1
          else if ('request' in news) host.requests.push(news.request)
          else {
            host.port = news.port
            resolve()
          }
        })
      }),
    )
    return host
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Resolves when nobody can connect any more. */
  async closeEars(): Promise<void> {
    Atomics.store(this.#asleep, 0, 1)
    this.#thread.postMessage('sleep', [])
    while (await this.#filled()) {
      if (this.#fillers.length > fillersMax) throw new Error('the line before the deaf host does not become full')
    }
  }

  /** Connections that were made to keep others out; they are taken as soon as its ears are open. */
  get fillersConnected(): number {
    return this.#fillers.length - 1
  }

  openEars(): void {
    for (const socket of this.#fillers) socket.destroy()
    Atomics.store(this.#asleep, 0, 0)
    Atomics.notify(this.#asleep, 0)
  }

  async close(): Promise<void> {
    this.openEars()
    await this.#thread.terminate()
  }

  /** Takes one more place before the host; false when there is none. */
  async #filled(): Promise<boolean> {
    const socket = connect(this.port, '127.0.0.1')
    this.#fillers.push(socket)
    socket.on('error', () => {})
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(false), notAcceptedMs)
    socket.once('connect', () => resolve(true))
    const connected = await promise
    clearTimeout(timer)
    return connected
  }
}
