/** A program run as a user runs it: its lines as they come, its end, and nothing of it left behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { within } from './within.ts'

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url))
export const launchScript = fileURLToPath(new URL('../../src/launch.js', import.meta.url))

export interface ProcessOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** A process group of its own, as a terminal gives each command. */
  readonly ownGroup?: boolean
  /** A channel for `ask`. */
  readonly channel?: boolean
}

export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class RunningProcess {
  readonly ended: Promise<End>
  readonly #child: ChildProcess
  readonly #ownGroup: boolean
  readonly #waiting = new Set<() => void>()
  #out = ''
  #err = ''

  constructor(command: string, args: readonly string[], options: ProcessOptions) {
    this.#ownGroup = options.ownGroup ?? false
    this.#child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...quietEnvironment(), ...options.env },
      detached: this.#ownGroup,
      stdio: ['ignore', 'pipe', 'pipe', ...(options.channel === true ? (['ipc'] as const) : [])],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#came(() => (this.#out += text)))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#came(() => (this.#err += text)))
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => this.#came(() => resolve({ code, signal })))
    })
  }

  get out(): string {
    return this.#out
  }

  get err(): string {
    return this.#err
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the process was never started')
    return pid
  }

  /** The first group of `pattern` as soon as stdout matches it. */
  said(pattern: RegExp, ms = 20_000): Promise<string> {
    return this.#heard(pattern, () => this.#out, ms)
  }

  /** The same of stderr, where the log goes. */
  logged(pattern: RegExp, ms = 20_000): Promise<string> {
    return this.#heard(pattern, () => this.#err, ms)
  }

  async #heard(pattern: RegExp, text: () => string, ms: number): Promise<string> {
    const found = () => pattern.exec(text())
    const heard = new Promise<string>((resolve, reject) => {
      const look = () => {
        const match = found()
        if (match !== null) resolve(match[1] ?? match[0])
      }
      this.#waiting.add(look)
      look()
      const early = () => {
        if (found() === null) reject(new Error(`it ended before it said ${pattern}:\n${this.#out}${this.#err}`))
      }
      this.ended.then(early, reject)
    })
    return within(ms, `the process to say ${pattern}`, heard)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** As Ctrl-C in a terminal: to every process of the group. */
  signalGroup(signal: NodeJS.Signals): void {
    if (!this.#ownGroup) throw new Error('the process shares the group of the tests')
    process.kill(-this.pid, signal)
  }

  /** The answer to a message over the channel. */
  async ask<Answer>(message: object, ms = 20_000): Promise<Answer> {
    const answer = once(this.#child, 'message') as Promise<[Answer]>
    this.#child.send(message)
    return (await within(ms, `an answer to ${JSON.stringify(message)}`, answer))[0]
  }

  /** Reads what it writes no more, so that its pipes fill up, until it is told to. */
  listen(listening: boolean): void {
    for (const pipe of [this.#child.stdout, this.#child.stderr]) {
      if (listening) pipe?.resume()
      else pipe?.pause()
    }
  }

  end(ms = 20_000): Promise<End> {
    return within(ms, 'the process to end', this.ended)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      if (this.#ownGroup) this.signalGroup('SIGKILL')
      else this.#child.kill('SIGKILL')
    }
    await this.ended
  }

  #came(change: () => void): void {
    change()
    for (const look of this.#waiting) look()
  }
}

/** `node src/launch.js …`, with the Node that runs the tests. */
export function launch(args: readonly string[], options: ProcessOptions): RunningProcess {
  return new RunningProcess(process.execPath, [launchScript, ...args], options)
}

/** Without what would change the gateway, or what the test runner set for itself. */
function quietEnvironment(): NodeJS.ProcessEnv {
  const unwanted = /^(?:LMX_GATEWAY_|VITEST|NODE_OPTIONS$|NODE_ENV$|NODE_V8_COVERAGE$|FORCE_COLOR$)/
  const kept = Object.entries(process.env).filter(([name]) => !unwanted.test(name))
  // The store of the machine's user is nobody's test.
  return { ...Object.fromEntries(kept), LMX_GATEWAY_STORE: ':memory:' }
}
