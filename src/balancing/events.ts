/** What the choice of a host tells those who look on: plain data, which keeps no host and no request alive. */
import type { RequestClass } from '../base/request-class.ts'
import type { LeftOut } from './decision.ts'
import type { PolicyName } from './options.ts'
import type { RoutingReason } from './policy.ts'

/** One host that could have taken a request, as it was when one was chosen. Times are whole milliseconds. */
export interface PlaceRecord {
  readonly host: string
  /** Name of the model there. */
  readonly model: string
  readonly isFree: boolean
  readonly slotWaitMs: number
  readonly loadMs: number
  /** What must be read of its own prompt. */
  readonly prefillMs: number
  /** Until its first token: that and its load behind the longer of the wait for a slot and what is read before it. */
  readonly firstTokenMs: number
  /** Of its prompt, as predicted. */
  readonly cachedTokens: number
  /** Its conversation was there before. */
  readonly isHome: boolean
  readonly running: number
  /** Tokens of prompts that the host had yet to read, and of answers that it had yet to generate. */
  readonly inputAhead: number
  readonly outputAhead: number
  /** As learned of so many answers; of none where it was assumed. */
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  readonly samples: number
  /** Null where the policy has none; the less, the better. */
  readonly score: number | null
  /** Why it could not be chosen; null where it could. */
  readonly leftOut: LeftOut | null
}

/** What a host was in the end, of an attempt that it was chosen for. */
export interface DecisionCame {
  /** From sending the request; null where no first token of a stream was seen. */
  readonly firstTokenMs: number | null
  /** As the host said; null where it said nothing. */
  readonly cachedTokens: number | null
  readonly inputTokens: number
  readonly outputTokens: number
  /** From when it had its slot until it was over. */
  readonly tookMs: number
  readonly failure: string | null
}

/** How waiting for a full host ended: with a slot there; too long, so that any host would do; the host went; the request did. */
export const holdResults = ['granted', 'let_go', 'host_gone', 'left'] as const
export type HoldResult = (typeof holdResults)[number]

export interface Hold {
  /** No longer than so was waiting for the host the better choice. */
  readonly waitMsMax: number
  /** Null while it waits. */
  ended: { readonly result: HoldResult; readonly ms: number } | null
}

export interface DecisionRecord {
  /** Unix. */
  readonly atMs: number
  /** Of the gateway, never twice. */
  readonly request: string
  /** The client's own where it sent one. */
  readonly requestId: string
  /** Name of its key. */
  readonly key: string
  /** The name its client used. */
  readonly model: string
  readonly class: RequestClass
  readonly policy: PolicyName
  readonly reason: RoutingReason
  /** Tokens, as estimated. */
  readonly inputTokens: number
  readonly outputTokens: number
  /** In this turn in the line, until then. */
  readonly waitedMs: number
  /** The one that was chosen is the first. */
  readonly places: readonly [PlaceRecord, ...PlaceRecord[]]
  /** Null where it was given a slot at once; else it waits, or waited, for the chosen host, which was full. */
  readonly hold: Hold | null
  /** Null until what it led to is over, and for one that only made it wait. */
  came: DecisionCame | null
}

export interface BalancingEvents {
  /** A host was chosen: the request has a slot there, or waits for that host. */
  decided(decision: DecisionRecord): void
  /** A request that waited for a host that was full does so no more. `model`: the name its client used. */
  holdEnded(at: { readonly model: string; readonly host: string }, result: HoldResult, ms: number): void
}

/** How fast a host is with a model, as it was learned. */
export interface LearnedSpeed {
  readonly host: string
  /** Name of the model there. */
  readonly model: string
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  readonly slowdown: number
}
