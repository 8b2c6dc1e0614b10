/** What `observe/` reads of a host, at scrape time. */

export interface HostState {
  readonly name: string
  readonly up: boolean
  /** Live leases. */
  readonly inFlight: number
  readonly slots: number
  /** Models in the last list; 0 while none was read. */
  readonly models: number
}
