/** The port through which the gateways of one fleet know of each other. */

export interface AliveReplica {
  readonly id: string
  /** Since its last beat, by the clock of the store. */
  readonly beatAgeMs: number
}

export interface Beat {
  /** Another one when the store was emptied, or is another store: whatever was kept there is gone. */
  readonly epoch: string
  /** Until all have had the time to tell what they hold; 0 in an epoch that has run for a while. */
  readonly settlesInMs: number
  /** Another one when it had been missed for so long that what it held was taken to be free. */
  readonly joined: string
  /** The replicas that live, this one included unless it leaves. */
  readonly alive: readonly AliveReplica[]
}

export interface OwnBeat {
  readonly id: string
  /** For all who listen now. */
  readonly message: string
  /** Kept for whoever comes later, as long as this one lives. */
  readonly status: string
  readonly leaves: boolean
  /** The epoch in which it has told the store all of what it holds; null while it has not. */
  readonly toldAllIn: string | null
}

export interface BeatStore {
  /** Whether it is worth asking now. */
  readonly isUp: boolean
  /** Why it is not, where that is known. */
  readonly problem: string | null
  beat(own: OwnBeat): Promise<Beat>
  /** By id, of those that live: what each had kept. */
  statuses(): Promise<ReadonlyMap<string, string>>
  /** Resolves once messages are heard; that may be when the store is there for the first time. */
  listen(heard: (message: string) => void): Promise<void>
}
