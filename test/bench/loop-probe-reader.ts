/** Asks the probe that was preloaded into a process (loop-probe.ts) how long the turns of its event loop were. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { within } from '../kit/within.ts'
import type { AskedOfProbe, ToldByProbe } from './loop-probe-turns.ts'

const answerMsMax = 60_000

export class LoopProbe implements AsyncDisposable {
  /** For the Node of the process that is to be probed. */
  readonly nodeArgs: readonly string[]
  readonly #folder: string
  #socket: Socket | null = null

  private constructor(folder: string) {
    this.#folder = folder
    const url = new URL('loop-probe.ts', import.meta.url)
    url.searchParams.set('socket', this.#socketPath)
    this.nodeArgs = ['--expose-gc', '--import', url.href]
  }

  /** Of one process; made before it starts. */
  static async make(): Promise<LoopProbe> {
    return new LoopProbe(await mkdtemp(join(tmpdir(), 'lmx-probe-')))
  }

  /** The turns since this was asked last. */
  turns(): Promise<ToldByProbe> {
    return this.#answer<ToldByProbe>({ ask: 'turns' })
  }

  /** What lives after all garbage was collected, in bytes. */
  memory(): Promise<NodeJS.MemoryUsage> {
    return this.#answer<NodeJS.MemoryUsage>({ ask: 'memory' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #socketPath(): string {
    return join(this.#folder, 'socket')
  }

  async #answer<Told>(question: AskedOfProbe): Promise<Told> {
    const socket = await this.#connected()
    socket.write(`${JSON.stringify(question)}\n`)
    return within(answerMsMax, 'the probe of the event loop', lineFrom<Told>(socket))
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== null) return this.#socket
    const socket = createConnection(this.#socketPath).setEncoding('utf8')
    await once(socket, 'connect')
    this.#socket = socket
    return socket
  }
}

async function lineFrom<Told>(socket: Socket): Promise<Told> {
  let text = ''
  for (;;) {
    const [more] = (await once(socket, 'data')) as [string]
    text += more
    if (text.endsWith('\n')) return JSON.parse(text) as Told
  }
}
