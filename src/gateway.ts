/** The composition root: builds every part from a Config, starts, drains and stops them. */
import type { Clock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { ResolvedConfig } from './config/schema.ts'

export interface GatewayParts {
  readonly version: string
  readonly log: Log
  readonly clock?: Clock
}

/** One host as found at start, for the operator's eyes. */
export interface HostReport {
  readonly name: string
  readonly url: string
  /** Kind, once known. */
  readonly kind: string | null
  /** Null when the host answered its first probe, else one sentence on why not. */
  readonly problem: string | null
  readonly models: readonly string[]
  readonly slots: number
}

export interface Gateway {
  /** Binds both listeners, or throws a StartError; does not wait for hosts. Resolves with the real addresses. */
  start(): Promise<{ dataUrl: string; adminUrl: string }>
  /** Resolves after the first probe of every host has ended, well or not; probing goes on. */
  firstProbes(): Promise<readonly HostReport[]>
  /** Drains (newcomers get 503, the others are served for drainMsMax) and resolves when the last request has ended; `now` ends running streams at once, honestly. */
  stop(options?: { now?: boolean }): Promise<void>
}

/** The gateway could not start; the message is one sentence that says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

export function createGateway(_config: ResolvedConfig, _parts: GatewayParts): Gateway {
  throw new StartError('not built yet')
}
