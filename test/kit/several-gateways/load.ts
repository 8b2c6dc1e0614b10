/** Hosts that are doubles, and clients by the dozen, in a process of their own: told when to begin, it tells at the end what it saw. */
import { fileURLToPath } from 'node:url'
import { RunningProcess, repositoryRoot } from '../child-process.ts'
import type { LmxDoubleOptions } from '../lmx-double/lmx-double.ts'
import { becomesTrue } from '../within.ts'
import type { Outcome, Truth } from './seen.ts'

export type HostWanted = Required<Pick<LmxDoubleOptions, 'models' | 'slots'>> &
  Pick<LmxDoubleOptions, 'cost'> & { readonly name: string }

/** Clients that ask one request after the other. */
export interface ClientGroup {
  readonly name: string
  /** Name of the key, and the key. */
  readonly key: string
  readonly secret: string
  readonly model: string
  readonly clients: number
  readonly stream: boolean
  /** Of an answer, from one request to the next. */
  readonly tokens: readonly [least: number, most: number]
  readonly promptWords?: number
  /** Of so many requests one is left in the middle, or while it waits; default: none. */
  readonly oneLeftOf?: number
  /** Between the end of one and the next; whoever is refused comes back after this, however long it was told to wait. */
  readonly pauseMs?: number
}

export type LoadMessage =
  | { readonly begin: readonly ClientGroup[]; readonly url: string }
  | { readonly stop: true }
  | { readonly count: true }
  | { readonly tell: true }

/** By the names of groups: how many requests ended in a way. */
export type Counts = Readonly<Record<string, Readonly<Partial<Record<Outcome, number>>>>>

export class Load implements AsyncDisposable {
  /** Addresses of the hosts by their names. */
  readonly urls: Readonly<Record<string, string>>
  readonly #process: RunningProcess

  private constructor(urls: Readonly<Record<string, string>>, process: RunningProcess) {
    this.urls = urls
    this.#process = process
  }

  static async start(hosts: readonly HostWanted[]): Promise<Load> {
    const program = fileURLToPath(new URL('load-child.ts', import.meta.url))
    const args = [program, JSON.stringify(hosts)]
    const child = new RunningProcess(process.execPath, args, { cwd: repositoryRoot, channel: true })
    try {
      return new Load(JSON.parse(await child.said(/hosts (\{.*\})\n/)) as Record<string, string>, child)
    } catch (error) {
      await child[Symbol.asyncDispose]()
      throw error
    }
  }

  /** To those that ask already, others may be added. */
  async begin(groups: readonly ClientGroup[], url: string): Promise<void> {
    await this.#process.ask({ begin: groups, url } satisfies LoadMessage)
  }

  /** Nobody asks anew; resolves once every request has ended. */
  async stop(ms = 60_000): Promise<void> {
    await this.#process.ask({ stop: true } satisfies LoadMessage, ms)
  }

  counts(): Promise<Counts> {
    return this.#process.ask({ count: true } satisfies LoadMessage)
  }

  /** Until so many more of each of these groups have been answered whole. */
  async answers(wanted: Readonly<Record<string, number>>, ms = 60_000): Promise<void> {
    const before = await this.counts()
    const wholeOf = (counts: Counts, group: string) => counts[group]?.whole ?? 0
    let lacking = ''
    await becomesTrue(ms, `more answers: ${JSON.stringify(wanted)}`, async () => {
      const now = await this.counts()
      const late = Object.entries(wanted).filter(([group, more]) => wholeOf(now, group) < wholeOf(before, group) + more)
      lacking = late.map(([group]) => `${group}: ${wholeOf(now, group) - wholeOf(before, group)}`).join(', ')
      return late.length === 0
    }).catch((error: unknown) => {
      throw new Error(`too few answers: ${lacking}`, { cause: error })
    })
  }

  /** So far. */
  tell(): Promise<Truth> {
    return this.#process.ask({ tell: true } satisfies LoadMessage)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}
