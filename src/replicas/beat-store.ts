/** The port through which the gateways of one fleet know of each other. */

export interface Beat {
  /** Wall clock of the store. */
  readonly nowMs: number
  /** Another one when the store was emptied, or is another store: whatever was kept there is gone. */
  readonly epoch: string
  /** Until all have had the time to tell what they hold; 0 in an epoch that has run for a while. */
  readonly settlesInMs: number
  /** Ids of the replicas that live, this one included unless it leaves. */
  readonly alive: readonly string[]
}

export interface OwnBeat {
  readonly id: string
  /** For all who listen now. */
  readonly message: string
  /** Kept for whoever comes later, as long as this one lives. */
  readonly status: string
  /** Name of the epoch, should there be none. */
  readonly epochIfNone: string
  readonly leaves?: boolean
}

export interface BeatStore {
  /** Whether it is worth asking now. */
  readonly isUp: boolean
  beat(own: OwnBeat): Promise<Beat>
  /** By id, of those that live. */
  statuses(): Promise<ReadonlyMap<string, string>>
  listen(heard: (message: string) => void): Promise<void>
}
