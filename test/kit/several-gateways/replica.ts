/** One of several gateways: a process that users run, on a port that it keeps when it is started again. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sumOf } from '../../soak/exposition.ts'
import { type End, launchScript, RunningProcess } from '../child-process.ts'
import type { ConfigInput } from '../config-of.ts'
import { known } from '../known-metric.ts'
import { entriesOf, type LogEntry, restGauges } from '../process-end.ts'
import { becomesTrue } from '../within.ts'

export interface ReplicaWanted {
  readonly name: string
  /** Of its own: configuration, keys and ledger. */
  readonly folder: string
  readonly port: number
  readonly config: ConfigInput
}

export class Replica implements AsyncDisposable {
  readonly name: string
  readonly url: string
  readonly usagePath: string
  readonly #folder: string
  /** The one that runs is the last. */
  readonly #processes: RunningProcess[] = []
  adminUrl = ''

  constructor({ name, folder, port, config }: ReplicaWanted) {
    this.name = name
    this.url = `http://127.0.0.1:${port}`
    this.#folder = folder
    this.usagePath = join(folder, 'gateway-usage.db')
    mkdirSync(folder, { recursive: true })
    const own = { ...config, server: { ...config.server, port }, admin: { port: 0, ...config.admin } }
    // JSON is YAML.
    writeFileSync(join(folder, 'gateway.yaml'), JSON.stringify(own))
  }

  /** Listens, and has probed every host once, when it resolves. */
  async start(): Promise<void> {
    const files = ['--config', join(this.#folder, 'gateway.yaml'), '--store', join(this.#folder, 'gateway.db')]
    const child = new RunningProcess(process.execPath, [launchScript, ...files], { cwd: this.#folder })
    this.#processes.push(child)
    await child.said(/(http:\S+)\/v1\n/, 60_000)
    this.adminUrl = (await child.said(/(http:\S+)\/metrics\n/)).replace(/\/$/, '')
    await child.said(/Try it|not reachable/, 60_000)
  }

  get #process(): RunningProcess {
    const process = this.#processes.at(-1)
    if (process === undefined) throw new Error(`${this.name} was never started`)
    return process
  }

  /** Of all its processes, one after the other. */
  get log(): readonly LogEntry[] {
    return this.#processes.flatMap(({ err }) => entriesOf(err))
  }

  /** What no line of a log is: warnings of Node, stacks. */
  get strayLines(): readonly string[] {
    const lines = this.#processes.flatMap(({ err }) => err.split('\n').slice(0, -1))
    return lines.filter((line) => !line.startsWith('{'))
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.adminUrl}/metrics`, { headers: { connection: 'close' } })).text()
  }

  async sum(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sumOf(await this.metrics(), known(name), labels)
  }

  /** Nothing of a request is held any more. */
  async comesToRest(): Promise<void> {
    for (const gauge of restGauges) {
      await becomesTrue(20_000, `${gauge} of ${this.name} to be 0`, async () => (await this.sum(gauge)) === 0)
    }
  }

  /** At once, in the middle of everything. */
  async kill(): Promise<void> {
    this.#process.signal('SIGKILL')
    await this.#process.end()
  }

  /** As an operator does: to the end of what runs. */
  async stop(ms = 60_000): Promise<End> {
    this.#process.signal('SIGTERM')
    return this.#process.end(ms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]()
  }
}
