/** What one attempt at a host is charged to its flow: its prompt at the grant, each token as it passes, and at the end what its host says. */
import type { Speed } from '../balancing/speed.ts'
import type { Host } from '../hosts/host.ts'
import type { Flow } from './flow.ts'

/** What counts for how much. */
export interface Costs {
  /** Each request, whatever its size. */
  readonly request: number
  /** A token of the prompt that did not come from a cache. */
  readonly input: number
  readonly output: number
}

/** A generated token keeps a host as busy as several of the prompt; the paper on the counter charges two for one. */
export const tokenCosts: Costs = { request: 0, input: 1, output: 2 }

/** Of a request of such a size. */
export function costOf(tokens: { readonly input: number; readonly output: number }, costs: Costs): number {
  return costs.request + tokens.input * costs.input + tokens.output * costs.output
}

/** As much as a host that is so fast could have generated instead. */
export function costOfLoad(ms: number, decodeTokensPerSecond: number, costs: Costs): number {
  return (ms / 1_000) * decodeTokensPerSecond * costs.output
}

export interface ServedTokens {
  /** As expected where nothing better is known. */
  readonly input: number | undefined
  readonly cachedInput: number
  readonly output: number
}

interface BillParts {
  readonly host: Host
  readonly expected: { readonly input: number; readonly output: number }
  readonly costs?: Costs
}

export class Bill {
  readonly flow: Flow
  /** Expected when it was granted. */
  readonly expected: { readonly input: number; readonly output: number }
  readonly #host: Host
  readonly #costs: Costs
  /** Of then: what is given back later must be what was charged. */
  readonly #weight: number
  /** Charged as expected, until it is known. */
  #expected: number
  /** Charged for good, but for what is corrected. */
  #charged = 0
  #input: number
  #output = 0
  /** Generated at the least. */
  #unseen = 0

  constructor(flow: Flow, { host, expected, costs = tokenCosts }: BillParts) {
    this.flow = flow
    this.#host = host
    this.expected = expected
    this.#costs = costs
    this.#weight = flow.weight
    this.#input = expected.input
    this.#expected = costOf({ input: expected.input, output: 0 }, costs)
    flow.expect(host, this.#expected / this.#weight)
  }

  /** In cost, not divided by the weight. */
  get charged(): number {
    return this.#charged + this.#expected
  }

  /** Tokens so far. */
  get served(): { readonly input: number; readonly output: number } {
    return { input: this.#input, output: this.#output }
  }

  /** Tokens that were generated so far. */
  get output(): number {
    return this.#output
  }

  /** Cost that is expected still to come. */
  get toCome(): number {
    return Math.max(0, this.expected.output - this.#output) * this.#costs.output
  }

  /** So many more tokens were generated. */
  generated(tokens: number): void {
    this.#output += tokens
    this.#charge(tokens * this.#costs.output)
  }

  /** So many at the least, although none was seen: its client left before. */
  unseen(tokens: number): void {
    this.#unseen = tokens
    if (tokens > this.#output) this.generated(tokens - this.#output)
  }

  /** What it really was, so far or in all. */
  correct({ input = this.expected.input, cachedInput, output }: ServedTokens): void {
    this.#input = input
    this.#output = Math.max(output, this.#unseen)
    const uncached = Math.max(0, input - cachedInput)
    this.#settle(costOf({ input: uncached, output: this.#output }, this.#costs))
  }

  /**
   * So long its host loaded the model for it: as much as the host could have generated meanwhile, whatever becomes of the
   * answer, or whoever asks for another model each time would be served more than others.
   */
  loaded(ms: number, { decodeTokensPerSecond }: Speed): void {
    const cost = costOfLoad(ms, decodeTokensPerSecond, this.#costs)
    if (cost > 0) this.flow.charge(this.#host, cost / this.#weight)
  }

  /** Nothing came of it. */
  refund(): void {
    this.#settle(0)
  }

  /** Its slot is given back: what was expected and never told otherwise counts. */
  close(): void {
    this.#settle(this.charged)
  }

  #settle(cost: number): void {
    if (this.#expected === 0) {
      this.#charge(cost - this.#charged)
      return
    }
    const expected = this.#expected
    this.#expected = 0
    // What was generated meanwhile is charged already.
    const actual = cost - this.#charged
    this.#charged = cost
    this.flow.turnedOut(this.#host, expected / this.#weight, actual / this.#weight)
  }

  #charge(cost: number): void {
    this.#charged += cost
    this.flow.charge(this.#host, cost / this.#weight)
  }
}
