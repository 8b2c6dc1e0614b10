/** What a request asks of the line, and what it hears. */

import type { Prompt } from '../balancing/prompt.ts'
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Route } from '../hosts/route.ts'
import type { Holder } from './flow.ts'
import type { Lease } from './lease.ts'
import type { ToldEstimate } from './told-waits.ts'

/**
 * Where it begins to wait. `newcomer`: behind those of its key and class. `sent_back`: it had a slot whose host could not
 * take it, and goes in front of all. `given_back`: it gave its slot to somebody more urgent, and goes in front of those of
 * its key and class. `last`: it was sent back again and again, and goes behind them.
 */
export type Place = 'newcomer' | 'sent_back' | 'given_back' | 'last'

/** By what those who look at the line know it. */
export interface RequestLabel {
  /** Of the gateway, never twice. */
  readonly id: string
  /** The client's own where it sent one. */
  readonly requestId: string
  readonly endpoint: string
}

export interface SlotRequest {
  /** Absent where nobody looks. */
  readonly label?: RequestLabel
  readonly route: Route
  /** Hosts that must not be chosen (any more). */
  readonly excluded: ReadonlySet<Host>
  readonly holder: Holder
  readonly class: RequestClass
  /** As estimated; those of the prompt are charged at the grant. */
  readonly tokens: { readonly input: number; readonly output: number }
  /** Which host has read its beginning before goes by this; absent where nothing is known. */
  readonly prompt?: Prompt
  readonly place: Place
  /** What is left of its patience; that of its class where absent. */
  readonly patienceMs?: number
  /** So long it has waited for what all gateways decide together, before it came here. */
  readonly storeWaitMs?: number
  /** A slot is there; the receiver must release the lease. May be called before `ask` returns. */
  granted(lease: Lease, waitMs: number): void
  /**
   * There will be no slot, and why. `busyForMs`: at patience's end, the smallest time until one of its hosts takes work
   * again, where all of them are pausing; else 0. May be called before `ask` returns.
   */
  refused(error: GatewayError, busyForMs: number): void
  /**
   * Somebody more urgent waits for its slot: true where it gives it back, by asking again and releasing the lease soon,
   * in whichever order. Absent where it cannot.
   */
  giveBack?(lease: Lease): boolean
}

/** A request's place in the line. */
export interface Turn {
  /** Leaves the line; nothing is called afterwards. Without effect once granted or refused. */
  leave(): void
  /** How long it is likely to wait from now on; null once it waits no more. */
  estimate(): ToldEstimate | null
}

/** Of one that does not wait. */
export const noTurn: Turn = { leave: () => {}, estimate: () => null }
