/** A load of all sorts: for each limit a flood of its own, and more who want to than two hosts can serve. */
import type { ConfigInput } from '../config-of.ts'
import type { ClientGroup, HostWanted } from './load.ts'
import type { HouseKey } from './several-gateways.ts'

/** With room for all whom their limits let through. */
const wide = { models: ['org/wide'], slots: 32, cost: { ttftMs: 20, decodeTokensPerSecond: 150 } }
const narrow = { models: ['org/narrow'], cost: { ttftMs: 40, decodeTokensPerSecond: 60 } }

export const hosts: readonly HostWanted[] = [
  { name: 'wide-1', ...wide },
  { name: 'wide-2', ...wide },
  { name: 'narrow-1', ...narrow, slots: 4 },
  { name: 'narrow-2', ...narrow, slots: 3 },
]

export const limits = { requestsPerMinute: 240, tokensPerMinute: 6_000, concurrentRequests: 5 } as const
const crew = { requestsPerMinute: 120 }
export const teams: NonNullable<ConfigInput['teams']> = { crew }

export const keys = {
  requests: { limits: { requestsPerMinute: limits.requestsPerMinute } },
  tokens: { limits: { tokensPerMinute: limits.tokensPerMinute } },
  'at-once': { limits: { concurrentRequests: limits.concurrentRequests } },
  'crew-a': { team: 'crew' },
  'crew-b': { team: 'crew' },
  'free-a': {},
  'free-b': {},
  'free-c': {},
} as const

type KeyName = keyof typeof keys

const whole = { model: 'org/wide', stream: false, tokens: [2, 6], pauseMs: 200 } as const
const stream = { model: 'org/wide', stream: true, tokens: [10, 40] } as const
const free = { model: 'org/narrow', stream: true, tokens: [10, 40], clients: 5, oneLeftOf: 11 } as const

const groups: Readonly<Record<KeyName, Omit<ClientGroup, 'name' | 'key' | 'secret'>>> = {
  requests: { ...whole, clients: 12 },
  tokens: { ...stream, clients: 8, pauseMs: 200 },
  'at-once': { ...stream, clients: 16, oneLeftOf: 9, pauseMs: 50 },
  'crew-a': { ...whole, clients: 4 },
  'crew-b': { ...whole, clients: 4 },
  'free-a': free,
  'free-b': free,
  'free-c': free,
}

export function groupsOf(house: { readonly keys: Readonly<Record<string, HouseKey>> }): readonly ClientGroup[] {
  return Object.entries(groups).map(([name, group]) => ({
    ...group,
    name,
    key: name,
    secret: house.keys[name]?.secret ?? '',
  }))
}

/** Answers that show that every limit is used up, and then refilled; and that all hosts are busy. */
export const enoughAnswers: Readonly<Record<KeyName, number>> = {
  requests: 90,
  tokens: 50,
  'at-once': 40,
  'crew-a': 15,
  'crew-b': 15,
  'free-a': 20,
  'free-b': 20,
  'free-c': 20,
}

/** That show that nothing has come to a halt. */
export const someAnswers: Readonly<Record<KeyName, number>> = {
  requests: 12,
  tokens: 6,
  'at-once': 10,
  'crew-a': 2,
  'crew-b': 2,
  'free-a': 5,
  'free-b': 5,
  'free-c': 5,
}

export interface Share {
  readonly words: string
  readonly keys: readonly string[]
  readonly counts: 'requests' | 'tokens'
  readonly perMinute: number
  /** What may be used at once, for certain. */
  readonly atOnce: number
  /** The most that may be seen of it at hosts. */
  readonly atOnceMax: number
}

/** So much later than another one may a request that was admitted reach its host, on a machine that is busy. */
const lagMsMax = 5_000
const burstShare = 0.25
/** The bucket of tokens holds this beyond what may be used at once, and estimates may be wrong by a little. */
const evenShare = 0.125
const estimateShare = 0.05

function shareOf(share: Pick<Share, 'words' | 'keys' | 'counts' | 'perMinute'>): Share {
  const { counts, perMinute } = share
  const beyond = counts === 'requests' ? 1 : (evenShare + estimateShare) * perMinute
  const atOnce = burstShare * perMinute
  return { ...share, atOnce, atOnceMax: atOnce + beyond + (perMinute * lagMsMax) / 60_000 }
}

export const shares: readonly Share[] = [
  shareOf({
    words: `${limits.requestsPerMinute} requests a minute`,
    keys: ['requests'],
    counts: 'requests',
    perMinute: limits.requestsPerMinute,
  }),
  shareOf({
    words: `${limits.tokensPerMinute} tokens a minute`,
    keys: ['tokens'],
    counts: 'tokens',
    perMinute: limits.tokensPerMinute,
  }),
  shareOf({
    words: `${crew.requestsPerMinute} requests a minute of a team`,
    keys: ['crew-a', 'crew-b'],
    counts: 'requests',
    perMinute: crew.requestsPerMinute,
  }),
]
