/** The workloads by name; adding one is a file and a line here. */

import { equalMacs } from '../host-profile.ts'
import { usualPatienceMs, type Workload } from '../workload.ts'
import { agents } from './agents.ts'
import { codeBursts } from './code-bursts.ts'
import { contended } from './contended.ts'
import { conversations } from './conversations.ts'
import { failingHost } from './failing-host.ts'
import { flood } from './flood.ts'
import { modelsInTurn } from './models-in-turn.ts'
import { agentLike, agentLikeHotter, chatLike, hotter, sharedBeginnings } from './shared-beginnings.ts'

/** What it is for: to compare who goes next, or where to. */
export type Compared = 'orders' | 'policies'

export interface NamedWorkload {
  readonly about: string
  readonly compares: Compared
  readonly make: (seed: number) => Workload
  /** The same with the patience of the gateway, where many would be refused by it. */
  readonly impatient?: (seed: number) => Workload
}

export const workloads = {
  'W1-0.5': {
    about: 'conversations of eight keys, at half of what the hosts can do',
    compares: 'orders',
    make: conversations(0.5),
  },
  W1: {
    about: 'conversations of eight keys, at 0.8 of what the hosts can do',
    compares: 'orders',
    make: conversations(0.8),
  },
  'W1-1.1': {
    about: 'conversations of eight keys, more than the hosts can do',
    compares: 'orders',
    make: conversations(1.1),
  },
  W2: { about: 'code completion in bursts', compares: 'orders', make: codeBursts },
  W3: {
    about: 'conversations with equal beginnings before three unequal Macs, prompts as of a chat',
    compares: 'policies',
    make: sharedBeginnings(chatLike),
  },
  'W3-hot': { about: 'the same, hotter', compares: 'policies', make: sharedBeginnings(hotter) },
  'W3-agent': {
    about: 'the same with prompts as of an agent',
    compares: 'policies',
    make: sharedBeginnings(agentLike),
  },
  'W3-agent-hot': { about: 'the same, hotter', compares: 'policies', make: sharedBeginnings(agentLikeHotter) },
  'W3-equal': {
    about: 'W3 before three equal Macs that can do as much in all',
    compares: 'policies',
    make: sharedBeginnings({ ...chatLike, hosts: equalMacs }),
  },
  W4: { about: 'one key floods, people talk', compares: 'orders', make: flood() },
  'W4-calm': { about: 'the same without the flood', compares: 'orders', make: flood({ flooded: false }) },
  W5: { about: '32 agents of four keys, with growing contexts', compares: 'orders', make: agents },
  W6: {
    about: 'three models on two machines that hold one at a time and load what they are asked for',
    compares: 'policies',
    make: modelsInTurn('request'),
    impatient: modelsInTurn('request', usualPatienceMs),
  },
  'W6-admin': {
    about: 'the same where they load what their admin API is told to',
    compares: 'policies',
    make: modelsInTurn('admin'),
    impatient: modelsInTurn('admin', usualPatienceMs),
  },
  W7: {
    about: 'the fastest of three unequal Macs crashes in the tenth minute, for ten minutes',
    compares: 'policies',
    make: failingHost({}),
  },
  'W7-slow': {
    about: 'it is three times as slow from the tenth minute on, for ten minutes',
    compares: 'policies',
    make: failingHost({ slower: 3 }),
  },
  W8: {
    about: 'the flood, with estimates that are off by 2.7 in every third case, and a key beyond its limit',
    compares: 'orders',
    make: flood({ mistake: 1, withLimited: true }),
  },
  W9: {
    about: 'keys that always wait, of very unequal requests, and a person',
    compares: 'orders',
    make: contended(),
  },
} as const satisfies Readonly<Record<string, NamedWorkload>>

export type WorkloadName = keyof typeof workloads
export const workloadNames = Object.keys(workloads) as WorkloadName[]
