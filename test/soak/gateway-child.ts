/** Starts the gateway's process for the soak, reads its log as it comes, and looks at it from outside. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ConfigInput } from '../kit/config-of.ts'
import { within } from '../kit/within.ts'
import type { FromGateway, ToGateway } from './gateway-process.ts'

export class GatewayChild {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  /** Gets each line of its log, and whatever else it writes to stderr. */
  onLine: (line: string) => void = () => {}
  dataUrl = ''
  adminUrl = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
  }

  static async start(config: ConfigInput): Promise<GatewayChild> {
    const entry = fileURLToPath(new URL('gateway-process.ts', import.meta.url))
    const child = fork(entry, [JSON.stringify(config)], {
      execArgv: ['--expose-gc', '--unhandled-rejections=strict', '--trace-warnings'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const { stderr } = child
    if (stderr === null) throw new Error('the process of the gateway has no stderr')
    const started = new GatewayChild(child)
    createInterface({ input: stderr }).on('line', (line) => started.onLine(line))
    const told = await started.#hear('listening', 30_000)
    started.dataUrl = told.dataUrl
    started.adminUrl = told.adminUrl
    return started
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async heapBytes(): Promise<number> {
    this.#ask({ ask: 'heap' })
    return (await this.#hear('heap', 30_000)).heapBytes
  }

  /** Sockets the process holds, its two listeners included; those that are local to the machine's kernel are not. */
  socketCount(): number {
    const folder = `/proc/${this.#child.pid}/fd`
    return readdirSync(folder).filter((fd) => isSocket(`${folder}/${fd}`)).length
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.adminUrl}/metrics`, { headers: { connection: 'close' } })).text()
  }

  async stop(): Promise<void> {
    if (this.alive) this.#ask({ ask: 'stop' })
    try {
      await within(20_000, 'the gateway to end', this.#exited)
    } finally {
      this.#child.kill('SIGKILL')
    }
  }

  #ask(message: ToGateway): void {
    this.#child.send(message)
  }

  #hear<Tell extends FromGateway['tell']>(tell: Tell, ms: number): Promise<Extract<FromGateway, { tell: Tell }>> {
    const heard = new Promise<Extract<FromGateway, { tell: Tell }>>((resolve, reject) => {
      const listen = (message: FromGateway) => {
        if (message.tell !== tell) return
        this.#child.off('message', listen)
        resolve(message as Extract<FromGateway, { tell: Tell }>)
      }
      this.#child.on('message', listen)
      this.#child.once('exit', (code, signal) => reject(new Error(`the gateway ended: ${code ?? signal}`)))
    })
    return within(ms, `the gateway to tell ${tell}`, heard)
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    return false
  }
}
