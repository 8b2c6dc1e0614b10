/** The workloads by name; adding one is a file and a line here. */
import type { Workload } from '../workload.ts'
import { agents } from './agents.ts'
import { codeBursts } from './code-bursts.ts'
import { conversations } from './conversations.ts'
import { flood } from './flood.ts'

export interface NamedWorkload {
  readonly about: string
  readonly make: (seed: number) => Workload
}

export const workloads = {
  'W1-0.5': { about: 'conversations of eight keys, at half of what the hosts can do', make: conversations(0.5) },
  W1: { about: 'conversations of eight keys, at 0.8 of what the hosts can do', make: conversations(0.8) },
  'W1-1.1': { about: 'conversations of eight keys, more than the hosts can do', make: conversations(1.1) },
  W2: { about: 'code completion in bursts', make: codeBursts },
  W4: { about: 'one key floods, people talk', make: flood() },
  'W4-calm': { about: 'the same without the flood', make: flood({ flooded: false }) },
  W5: { about: '32 agents of four keys, with growing contexts', make: agents },
  W8: {
    about: 'the flood, with estimates that are off by 2.7 in every third case, and a key beyond its limit',
    make: flood({ mistake: 1, withLimited: true }),
  },
} as const satisfies Readonly<Record<string, NamedWorkload>>

export type WorkloadName = keyof typeof workloads
export const workloadNames = Object.keys(workloads) as WorkloadName[]
