/** The orders that are compared: the two of the product, and two that others use, made from its seams. */
import type { Costs } from '../../src/queue/bill.ts'
import type { QueueOptions } from '../../src/queue/options.ts'

export interface SimOrder {
  readonly order: QueueOptions['order']
  /** What counts for how much between keys; default: what the product says. */
  readonly costs?: Costs
  /** Requests of one key that are in the line or on hosts at once; the others wait before it. */
  readonly perKeyMax?: number
}

export const simOrders = {
  'token-fair': { order: 'token-fair' },
  'first-come': { order: 'first-come' },
  /** In turn, a request each: whoever had the fewest requests. */
  'round-robin': { order: 'token-fair', costs: { request: 1, input: 0, output: 0 } },
  /** Whoever came first, with two requests of a key in the line and on hosts at the most. */
  'cap-2': { order: 'first-come', perKeyMax: 2 },
} as const satisfies Readonly<Record<string, SimOrder>>

export type SimOrderName = keyof typeof simOrders
export const simOrderNames = Object.keys(simOrders) as SimOrderName[]
