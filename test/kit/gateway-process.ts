/** The gateway as the process that users run, before hosts of a test, with its log, its metrics and handles on its inside. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { sumOf } from '../soak/exposition.ts'
import { type End, launchScript, RunningProcess } from './child-process.ts'
import type { ConfigInput } from './config-of.ts'
import { known } from './known-metric.ts'
import { entriesOf, expectSoundEnd, type LogEntry, type ProcessEnd, restGauges } from './process-end.ts'
import type { Handle, Told } from './process-handles.ts'
import { eventually } from './within.ts'

export interface GatewayProcessOptions {
  /** For Node, as --max-old-space-size. */
  readonly nodeArgs?: readonly string[]
  /** File descriptors that the process may have. */
  readonly descriptorsMax?: number
}

export class GatewayProcess implements AsyncDisposable {
  readonly process: RunningProcess
  readonly #folder: string
  url = ''
  adminUrl = ''

  private constructor(process: RunningProcess, folder: string) {
    this.process = process
    this.#folder = folder
  }

  /** Listens, and has probed every host once, when it resolves. */
  static async start(config: ConfigInput, options: GatewayProcessOptions = {}): Promise<GatewayProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-process-'))
    const file = join(folder, 'gateway.yaml')
    const free = { server: { port: 0, ...config.server }, admin: { port: 0, ...config.admin } }
    // JSON is YAML.
    await writeFile(file, JSON.stringify({ probe: { everyMs: 600_000 }, ...config, ...free }))
    const handles = fileURLToPath(new URL('process-handles.ts', import.meta.url))
    const args = [...(options.nodeArgs ?? []), '--import', handles, launchScript, '--config', file]
    const [command, commandArgs] =
      options.descriptorsMax === undefined
        ? [process.execPath, args]
        : ['/bin/sh', ['-c', `ulimit -n ${options.descriptorsMax}; exec "$@"`, 'sh', process.execPath, ...args]]
    const child = new RunningProcess(command, commandArgs, { cwd: folder, channel: true })
    const gateway = new GatewayProcess(child, folder)
    const base = await child.said(/(http:\S+)\/v1\n/)
    gateway.url = base
    gateway.adminUrl = (await child.said(/(http:\S+)\/metrics\n/)).replace(/\/$/, '')
    await child.said(/Try it|not reachable/)
    return gateway
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** What it has logged so far, whole lines only. */
  get log(): readonly LogEntry[] {
    return entriesOf(this.process.err)
  }

  /** Access-log lines: one per ended request. */
  get outcomes(): readonly LogEntry[] {
    return this.log.filter(({ msg }) => msg === 'request')
  }

  async outcomesOnce(count: number): Promise<readonly LogEntry[]> {
    await eventually(10_000, `${count} ended requests`, () => this.outcomes.length >= count)
    return this.outcomes
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.adminUrl}/metrics`, { headers: { connection: 'close' } })).text()
  }

  async sum(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sumOf(await this.metrics(), known(name), labels)
  }

  async sumReaches(name: string, value: number, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const endsAt = performance.now() + 10_000
    let now = await this.sum(name, labels)
    while (now !== value && performance.now() < endsAt) {
      await pause(10)
      now = await this.sum(name, labels)
    }
    expect(now, name).toBe(value)
  }

  async readiness(): Promise<{ status: number; reason?: string }> {
    const answer = await fetch(`${this.url}/readyz`, { headers: { connection: 'close' } })
    return { ...((await answer.json()) as { reason?: string }), status: answer.status }
  }

  trouble(handle: Handle): Promise<Told> {
    return this.process.ask<Told>(handle)
  }

  /** Nothing is held any more, every request has its one line, nothing failed inside, and no secret got out. */
  async expectAtRest(requests: number, end: Omit<ProcessEnd, 'requests'> = {}): Promise<void> {
    await this.outcomesOnce(requests - (end.dropped ?? 0))
    for (const gauge of restGauges) await this.sumReaches(gauge, 0)
    expectSoundEnd({ page: await this.metrics(), out: this.process.out, err: this.process.err }, { ...end, requests })
  }

  /** The same for a process that has ended, by what it wrote alone. */
  expectSound(requests: number, end: Omit<ProcessEnd, 'requests'> = {}): void {
    expectSoundEnd({ out: this.process.out, err: this.process.err }, { ...end, requests })
  }

  /** Stops it, and holds it against the exit code 0. */
  async stop(): Promise<void> {
    this.process.signal('SIGTERM')
    expect(await this.process.end()).toEqual({ code: 0, signal: null } satisfies End)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
