/** What `observe/` is told of a host, and reads at scrape time. */

export type LimitDirection = 'up' | 'down'
/** Time per output token, time to the first token, a host that said it has no room, room for more. */
export type LimitReason = 'tpot' | 'ttft' | 'busy' | 'room'

export interface HostState {
  readonly name: string
  readonly up: boolean
  /** Live leases. */
  readonly inFlight: number
  /** Configured, or as learnt between the bounds of its kind or its configuration. */
  readonly slots: number
  /** Slots that may be used now: fewer than `slots` after a return or a busy answer. */
  readonly limit: number
  /** Its requests failed one after the other: it gets none, or one a second where it is needed all the same. */
  readonly ejected: boolean
  /** By an operator. */
  readonly paused: boolean
  /** Models in the last list; 0 while none was read. */
  readonly models: number
}
