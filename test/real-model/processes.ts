/** The processes of this test: engines and the gateway, started as a user would and ended by their own handles. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { within } from '../kit/within.ts'
import type { EngineState } from './engine.ts'

const startMsMax = 60_000
const endMsMax = 20_000
const pollMs = 10
const engineEntry = fileURLToPath(new URL('server.ts', import.meta.url))
const gatewayEntry = fileURLToPath(new URL('../../src/launch.js', import.meta.url))

/** A child whose output is kept, so that a failed start can say what the child said. */
class Child {
  readonly #process: ChildProcess
  readonly #name: string
  readonly #lines: string[] = []
  readonly #heard = new Set<() => void>()
  #ended = false

  constructor(name: string, args: readonly string[], options: Pick<SpawnOptions, 'cwd' | 'env' | 'stdio'>) {
    this.#name = name
    this.#process = spawn(process.execPath, args, options)
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#hear(line))
    }
    this.#process.once('exit', (code, signal) => {
      this.#ended = true
      this.#hear(`(ended with ${code ?? signal})`)
    })
  }

  /** What `find` makes of everything said so far, as soon as it makes something of it. */
  async said<T>(what: string, find: (output: string) => T | undefined): Promise<T> {
    const heard = Promise.withResolvers<T>()
    const look = () => {
      const found = find(this.#lines.join('\n'))
      if (found !== undefined) heard.resolve(found)
      else if (this.#ended) heard.reject(new Error(`${this.#name} ended before it said ${what}`))
    }
    this.#heard.add(look)
    look()
    try {
      return await within(startMsMax, `${this.#name} to say ${what}`, heard.promise)
    } catch (error) {
      // Nobody will get to know this child, so nobody would end it.
      this.#process.kill('SIGKILL')
      throw new Error(`${(error as Error).message}; its output:\n${this.#lines.join('\n')}`, { cause: error })
    } finally {
      this.#heard.delete(look)
    }
  }

  /** Ends it politely, then by force; returns its exit code, null after a signal. */
  async end(): Promise<number | null> {
    if (!this.#ended) {
      const exit = once(this.#process, 'exit')
      this.#process.kill('SIGTERM')
      await within(endMsMax, `${this.#name} to end after SIGTERM`, exit).finally(() => this.#process.kill('SIGKILL'))
    }
    return this.#process.exitCode
  }

  #hear(line: string): void {
    this.#lines.push(line)
    for (const look of this.#heard) look()
  }
}

export class EngineProcess {
  readonly #child: Child
  readonly url: string

  private constructor(child: Child, url: string) {
    this.#child = child
    this.url = url
  }

  static async start(slots: number): Promise<EngineProcess> {
    const args = [engineEntry, '--port', '0', '--slots', `${slots}`]
    // The channel is there to be lost: an engine ends itself when the test has died.
    const child = new Child('the engine', args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    const port = await child.said('its port', (output) => /"port":(\d+)/.exec(output)?.[1])
    return new EngineProcess(child, `http://127.0.0.1:${port}`)
  }

  async state(): Promise<EngineState> {
    const response = await fetch(`${this.url}/engine`)
    return (await response.json()) as EngineState
  }

  async end(): Promise<void> {
    await this.#child.end()
  }
}

export class GatewayProcess {
  readonly #child: Child
  readonly #dir: string
  readonly url: string
  readonly #metricsUrl: string

  private constructor(child: Child, dir: string, url: string, metricsUrl: string) {
    this.#child = child
    this.#dir = dir
    this.url = url
    this.#metricsUrl = metricsUrl
  }

  static async start(hostUrls: readonly string[]): Promise<GatewayProcess> {
    const hosts = hostUrls.flatMap((url) => ['--host-url', url])
    const args = [gatewayEntry, ...hosts, '--port', '0', '--admin-port', '0']
    const dir = await mkdtemp(join(tmpdir(), 'lmx-gateway-'))
    // Neither a configuration file nor the environment of whoever runs the test may decide anything.
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('LMX_'))
    const env = { ...Object.fromEntries(own), XDG_STATE_HOME: dir }
    const child = new Child('the gateway', args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [url, metricsUrl] = await child.said('where it listens', (output) => {
      const base = /(http:\/\/127\.0\.0\.1:\d+)\/v1\b/.exec(output)?.[1]
      const metrics = /http:\/\/127\.0\.0\.1:\d+\/metrics\b/.exec(output)?.[0]
      return base !== undefined && metrics !== undefined ? ([base, metrics] as const) : undefined
    })
    return new GatewayProcess(child, dir, url, metricsUrl)
  }

  /** The sum of a metric's series whose labels include `labels`, such as `type="output"`. */
  async metric(name: string, labels = ''): Promise<number> {
    const response = await fetch(this.#metricsUrl)
    const lines = (await response.text()).split('\n')
    const series = lines.filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
    return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }

  async end(): Promise<number | null> {
    const code = await this.#child.end()
    await rm(this.#dir, { recursive: true, force: true })
    return code
  }
}

/** Resolves as soon as `holds` does, asking again and again, since a process next door announces nothing. */
export async function until(ms: number, label: string, holds: () => Promise<boolean>): Promise<void> {
  const asking = new AbortController()
  const ask = async () => {
    while (!asking.signal.aborted && !(await holds())) await pause(pollMs)
  }
  await within(ms, label, ask()).finally(() => asking.abort())
}
