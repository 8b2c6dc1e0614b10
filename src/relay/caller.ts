/** Who sent a request, as far as the relay must know: the port that access fills. */
import { GatewayError } from '../base/errors.ts'
import type { TokenCounts } from '../metering/usage.ts'
import type { EndpointName } from '../wire/endpoints.ts'

export interface Caller {
  /** Public id of the key; null for a client without one. */
  readonly keyId: string | null
  /** Name of the key in log, metrics and ledger; `anonymous` without one. */
  readonly key: string
  readonly team: string | null
  /** Under which its share counts of what all requests have together: the key's id, or the network of a client without one. */
  readonly holder: string
  /** Most tokens of one answer; null where only the host limits them. */
  readonly maxOutputTokens: number | null
  /** Whether it may ask for this name, be there such a model or not. */
  mayUse(model: string): boolean
  /** OpenAI's rate-limit headers as of now. */
  limitHeaders(): Readonly<Record<string, string>>
  /** Takes what the request is expected to use, or throws a GatewayError of 429 with the time until it fits. */
  admit(ask: Ask): Admission
}

/** What is known of a request that asks to be admitted. */
export interface Ask {
  readonly model: string
  readonly endpoint: EndpointName
  readonly body: Buffer
  /** The client's own bound for one choice, already no more than the key's; null where there is none. */
  readonly maxOutputTokens: number | null
  /** Answers that the host generates: n, or best_of, for each prompt. */
  readonly choices: number
}

/** A reservation, held until it is settled. */
export interface Admission {
  /** Prompt tokens by the size of the body. */
  readonly promptEstimate: number
  /** Generated tokens that are reserved. */
  readonly outputReserved: number
  /** So many tokens were generated already: reserves more and returns up to where. Never refuses: a running stream is not cut for a limit. */
  topUp(output: number): number
  /** Once, at the end, with what was used; null when nothing was executed, which costs nothing. `reported`: the host counted, so it can be learned from. */
  settle(used: TokenCounts | null, reported: boolean): void
}

/** Stands for whoever is refused at the door. */
export const unknownCaller: Caller = {
  keyId: null,
  key: 'unknown',
  team: null,
  holder: 'unknown',
  maxOutputTokens: null,
  mayUse: () => false,
  limitHeaders: () => ({}),
  admit: () => {
    throw new GatewayError('invalid_api_key', 'Nobody is known by this key.')
  },
}
