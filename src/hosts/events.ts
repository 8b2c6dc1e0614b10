/** What `observe/` reads of a host, at scrape time. */

export interface HostState {
  readonly name: string
  readonly up: boolean
  /** Live leases. */
  readonly inFlight: number
  /** Configured, else reported by the host, else of its kind. */
  readonly slots: number
  /** Slots that may be used now: fewer than `slots` after a return or a busy answer. */
  readonly limit: number
  /** Its requests failed one after the other: it gets none, or one a second where it is needed all the same. */
  readonly ejected: boolean
  /** Models in the last list; 0 while none was read. */
  readonly models: number
}
