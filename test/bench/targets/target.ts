/** What is measured, one beside the other in each round: the host itself, other proxies before it, and gateways. */
import type { RunningProcess } from '../../kit/child-process.ts'

/** In the order of the tables. `baseline`: another commit, or the working tree watched otherwise. */
export const targetNames = ['direct', 'nginx', 'haproxy', 'baseline', 'gateway'] as const
export type TargetName = (typeof targetNames)[number]

export interface TargetWanted {
  /** http://127.0.0.1:port of the stub. */
  readonly hostUrl: string
  /** Over which nginx and HAProxy spread requests as well. */
  readonly otherHostUrls?: readonly string[]
  /** Requests that the host takes at once; whatever comes beyond waits in the line of a gateway, and nowhere else. */
  readonly slots: number
  /** As `taskset` wants it; null for any. */
  readonly core: string | null
  /** For the Node of a gateway. */
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Over what a gateway of the benchmark is configured with: sections of it, each as a whole. */
  readonly config?: Readonly<Record<string, unknown>>
  /** A folder for keys and ledger; one of its own where none is given. */
  readonly store?: string
}

/** It takes requests when it is there; its process ends when it is disposed of. */
export interface Target extends AsyncDisposable {
  readonly name: TargetName
  /** For people: version and commit. */
  readonly words: string
  /** http://127.0.0.1:port */
  readonly url: string
  /** Of a gateway. */
  readonly adminUrl: string | null
  readonly key: string | null
  /** Its clients ask for the speed receipt. */
  readonly receipts: boolean
  /** Null for the host itself. */
  readonly pid: number | null
  readonly child: RunningProcess | null
}

export interface TargetMaker {
  readonly name: TargetName
  readonly words: string
  /** One sentence for people, or null where it can be started. */
  absentBecause(): string | null
  start(wanted: TargetWanted): Promise<Target>
}
