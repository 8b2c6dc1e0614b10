/** What is told of the gateways of a fleet to whoever counts. */

export interface ReplicaEvents {
  /** Another gateway lives no more: it said so, or was not heard for too long. */
  replicaGone(how: 'left' | 'missed'): void
  /** The store was found empty, or another one, or had given this gateway up: all is told anew. Not at the first beat. */
  epochChanged(): void
}

export interface ReplicasState {
  /** Those that live, this one included; those that did when the store was last there. */
  readonly count: number
  /** Whether limits, slots and budgets are those of all together. */
  readonly isShared: boolean
  /** Since the store last answered a beat, or since the start. */
  readonly beatAgeMs: number
}
