/** Doubles of known speeds under mixed load in a process of their own: begins, ends, and tells what it knows. */
import { fileURLToPath } from 'node:url'
import { RunningProcess, repositoryRoot } from '../child-process.ts'
import type { LmxDoubleOptions } from '../lmx-double/lmx-double.ts'
import type { KnownRequest } from './known-request.ts'
import type { LoadPlan } from './mixed-clients.ts'

/** A double by what can be written as JSON. */
export type KnownHostSpeed = Pick<LmxDoubleOptions, 'models' | 'slots' | 'cost'> & { readonly name: string }

export type LoadMessage = { readonly begin: LoadPlan } | { readonly end: true }

export interface LoadTruth {
  readonly requests: readonly KnownRequest[]
  /** Nine of ten requests that waited for nothing took no longer: so much may a client's stopwatch have beyond the gateway's. */
  readonly lagMs: number
}

export class KnownLoad implements AsyncDisposable {
  /** Addresses of the hosts by their names. */
  readonly urls: Readonly<Record<string, string>>
  readonly #process: RunningProcess

  private constructor(urls: Readonly<Record<string, string>>, process: RunningProcess) {
    this.urls = urls
    this.#process = process
  }

  static async start(hosts: readonly KnownHostSpeed[]): Promise<KnownLoad> {
    const program = fileURLToPath(new URL('known-load-child.ts', import.meta.url))
    const args = [program, JSON.stringify(hosts)]
    const child = new RunningProcess(process.execPath, args, { cwd: repositoryRoot, channel: true })
    try {
      return new KnownLoad(JSON.parse(await child.said(/hosts (\{.*\})\n/)) as Record<string, string>, child)
    } catch (error) {
      await child[Symbol.asyncDispose]()
      throw error
    }
  }

  async begin(plan: LoadPlan): Promise<void> {
    await this.#process.ask({ begin: plan } satisfies LoadMessage)
  }

  /** Resolves once every request has ended. */
  end(): Promise<LoadTruth> {
    return this.#process.ask({ end: true } satisfies LoadMessage)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}
