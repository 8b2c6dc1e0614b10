/** Who sent a request, as far as the relay must know: the port that access fills. */
import { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { TokenCounts } from '../metering/usage.ts'
import type { EndpointName } from '../wire/endpoints.ts'
import type { PromptSize } from '../wire/prompt-size.ts'

export interface Caller {
  /** Public id of the key; null for a client without one. */
  readonly keyId: string | null
  /** Name of the key in log, metrics and ledger; `anonymous` without one. */
  readonly key: string
  readonly team: string | null
  /** Under which its share counts of what all requests have together: the key's id, or the network of a client without one. */
  readonly holder: string
  /** The most urgent class that its requests may have; theirs unless they say less. */
  readonly class: RequestClass
  /** Its share of the hosts against others. */
  readonly weight: number
  /** Most tokens of one answer; null where only the host limits them. */
  readonly maxOutputTokens: number | null
  /** Whether it may ask for this name, be there such a model or not. */
  mayUse(model: string): boolean
  /** OpenAI's rate-limit headers as of now. */
  limitHeaders(): Readonly<Record<string, string>>
  /**
   * Takes what the request is expected to use: at once, or as soon as it fits if that is inside its patience.
   */
  admit(ask: Ask, turn: AdmissionTurn): LimitTurn
}

/** A request's place among those of its caller that wait for the same limits. */
export interface LimitTurn {
  /** Without effect once it waits no more. */
  leave(): void
  /** From now on; null once it waits no more. */
  estimate(): LimitWait | null
}

interface LimitWait {
  /** Requests that go first. */
  readonly ahead: number
  /** As the limits are now. */
  readonly waitMs: number
}

export const noLimitTurn: LimitTurn = { leave: () => {}, estimate: () => null }

/** How long a request is likely to be. */
export interface ExpectedLength {
  readonly prompt: PromptSize
  /** Tokens of one answer. */
  readonly output: number
}

/** Of `admitted` and `refused` exactly one is called, before `admit` returns or later; they must not throw. */
export interface AdmissionTurn {
  readonly class: RequestClass
  readonly patienceMs: number
  /** Before anything is reserved: what it throws, `admit` throws, and nothing is. */
  estimated?(length: ExpectedLength): void
  admitted(admission: Admission): void
  /** A GatewayError of 429 with the time until it fits, or of 503 where no more may wait. */
  refused(error: GatewayError): void
}

/** What is known of a request that asks to be admitted. */
export interface Ask {
  readonly model: string
  readonly endpoint: EndpointName
  readonly body: Buffer
  /** Of one choice, whichever of the client's bounds a host reads, and no more than the key's; null where there is none. */
  readonly maxOutputTokens: number | null
  /** The least of the bounds: an answer that reaches it may have been cut. */
  readonly leastOutputTokens: number | null
  /** Answers that the host generates: n, or best_of, for each prompt. */
  readonly choices: number
}

/** A reservation, held until it is settled. */
export interface Admission {
  /** Prompt tokens by the size of the body. */
  readonly promptEstimate: number
  /** Generated tokens that are reserved. */
  readonly outputReserved: number
  /** So long all gateways together were asked for it, of what a request waits for that at the most. */
  readonly askedForMs?: number
  /** So many tokens were generated already: reserves more and returns up to where. Never refuses: a running stream is not cut for a limit. */
  topUp(output: number): number
  /** Once, at the end, with what was used; null where the request does not count either. */
  settle(used: TokenCounts | null, how: Settlement): void
}

export interface Settlement {
  /** The host counted, so it can be learned from. */
  readonly reported: boolean
  /** A host that had it ended it, or a shutdown: that its reservation was of no use is not the caller's doing. */
  readonly blameless: boolean
}

/** Stands for whoever is refused at the door. */
export const unknownCaller: Caller = {
  keyId: null,
  key: 'unknown',
  team: null,
  holder: 'unknown',
  class: 'default',
  weight: 1,
  maxOutputTokens: null,
  mayUse: () => false,
  limitHeaders: () => ({}),
  admit: (_ask, turn) => {
    turn.refused(new GatewayError('invalid_api_key', 'Nobody is known by this key.'))
    return noLimitTurn
  },
}
