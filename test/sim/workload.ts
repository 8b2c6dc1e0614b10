/** What comes to the gateway in a simulation, and what it comes to. */
import type { Limits } from '../../src/access/limits.ts'
import type { RequestClass } from '../../src/base/request-class.ts'
import type { HostSlo } from '../../src/hosts/options.ts'
import { queueOptions } from '../../src/queue/options.ts'
import type { HostProfile } from './host-profile.ts'

/** Requests of one key that are alike and are judged together. */
export interface Stream {
  readonly name: string
  /** The name of the key they come with. */
  readonly key: string
  readonly class: RequestClass
  readonly limits?: Limits
  /** An answer within these is a good one. */
  readonly objective: { readonly firstTokenMs: number; readonly timePerOutputTokenMs: number }
  /** How long the gateway may let it wait. */
  readonly patienceMs: number
  /** Its client leaves where the answer has not begun by then; default: never. */
  readonly leavesAfterMs?: number
}

export interface Arrival {
  readonly atMs: number
  readonly stream: Stream
  /** Default: the one that all hosts have in memory. */
  readonly model?: string
  readonly input: number
  readonly output: number
  /** What the gateway takes its prompt for, before any host has counted it. */
  readonly inputExpected: number
  /** By how much what it learned of the lengths of answers is off for this one; 1: not at all. */
  readonly outputMistake: number
  /** Of its prompt, one for each block: equal ones stand for equal beginnings, as hashes of them would. Absent: unlike any other. */
  readonly blocks?: readonly number[]
  /** Of these, as many are what many conversations have in common: tools and the words of the system. */
  readonly commonBlocks?: number
  /** What its answer adds to them, where hosts keep what they wrote. */
  readonly answerBlocks?: readonly number[]
}

/** From `atMs` on and for `forMs` a host is gone, or everything takes it `slower` times as long. */
export interface Fault {
  readonly atMs: number
  readonly forMs: number
  readonly host: string
  /** Absent: it is gone. */
  readonly slower?: number
}

/** Models of which a host holds so many at once. */
export interface Models {
  readonly names: readonly string[]
  /** Hosts load what a request names, or what their admin API is told to. */
  readonly loadsBy: 'request' | 'admin'
  readonly loadedMax: number
  readonly evictMs: number
  /** Log-normal; of a few loads so many times that. */
  readonly loads: {
    readonly medianMs: number
    readonly sigma: number
    readonly longShare: number
    readonly longTimes: number
  }
}

export interface Workload {
  readonly hosts: readonly HostProfile[]
  readonly streams: readonly Stream[]
  readonly durationMs: number
  /** Tokens of a block; default: 64. */
  readonly blockTokens?: number
  /** Absent: one, which all hosts have in memory. */
  readonly models?: Models
  /** What happens to hosts. */
  readonly faults?: readonly Fault[]
  /** To what slots are adapted; default: what the product says. */
  readonly slo?: HostSlo
  /** In the order of their times. */
  readonly arrivals: readonly Arrival[]
  /** What a client that waits for its answers sends after one of them has ended; null: nothing more. */
  readonly next?: (ended: Arrival, nowMs: number) => Arrival | null
}

/** An hour in which waiting has no end, so that every order has the same requests to serve. */
export const hourMs = 3_600_000
export const endlessMs = 24 * hourMs
/** How long the gateway lets a request wait where nothing else is configured. */
export const usualPatienceMs = queueOptions.parse({}).waitMsMax

/** What a person accepts. */
export const personal = { firstTokenMs: 10_000, timePerOutputTokenMs: 100 }
/** What a program accepts that goes on with the answer. */
export const patient = { firstTokenMs: 60_000, timePerOutputTokenMs: 200 }

/** The largest cost of one request of a workload, in tokens: 1 for each of its prompt, 2 for each of its answer. */
export function largestCost(arrivals: Iterable<Arrival>): number {
  let largest = 0
  for (const { input, output } of arrivals) largest = Math.max(largest, input + 2 * output)
  return largest
}
