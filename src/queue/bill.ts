/** What one attempt is charged to its flow: its prompt at the grant, each token as it passes, and at the end what its host says. */
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

export interface ServedTokens {
  /** As expected where nothing better is known. */
  readonly input: number | undefined
  readonly cachedInput: number
  readonly output: number
}

export class Bill {
  readonly flow: Flow
  /** Expected when it was granted. */
  readonly expected: { readonly input: number; readonly output: number }
  readonly #costs: Costs
  /** Of then: what is given back later must be what was charged. */
  readonly #weight: number
  #charged = 0
  #input: number
  #output = 0
  #refunded = false

  constructor(flow: Flow, expected: { readonly input: number; readonly output: number }, costs: Costs = tokenCosts) {
    this.flow = flow
    this.expected = expected
    this.#costs = costs
    this.#weight = flow.weight
    this.#input = expected.input
    this.#add(costOf({ input: expected.input, output: 0 }, costs))
  }

  /** In cost, not divided by the weight. */
  get charged(): number {
    return this.#charged
  }

  /** Tokens so far. */
  get served(): { readonly input: number; readonly output: number } {
    return { input: this.#input, output: this.#output }
  }

  get refunded(): boolean {
    return this.#refunded
  }

  /** Cost that is expected still to come. */
  get toCome(): number {
    return Math.max(0, this.expected.output - this.#output) * this.#costs.output
  }

  /** So many more tokens were generated. */
  generated(tokens: number): void {
    this.#output += tokens
    this.#add(tokens * this.#costs.output)
  }

  /** What it really was, so far or in all. */
  correct({ input = this.expected.input, cachedInput, output }: ServedTokens): void {
    this.#input = input
    this.#output = output
    const uncached = Math.max(0, input - cachedInput)
    this.#add(costOf({ input: uncached, output }, this.#costs) - this.#charged)
  }

  /** Nothing came of it. */
  refund(): void {
    this.#refunded = true
    this.#add(-this.#charged)
  }

  #add(cost: number): void {
    this.#charged += cost
    this.flow.charge(cost / this.#weight)
  }
}
