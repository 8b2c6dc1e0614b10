/** The port through which several gateways give out the slots of a host so that they never exceed them together. */

export interface SlotWish {
  /** By its name, which is the same at all gateways of a fleet. */
  readonly host: string
  /** As the host calls it. */
  readonly model: string
  /** Slots of the host that this gateway holds, the wished one included. */
  readonly held: number
  /** That all may hold together, as far as this gateway knows. */
  readonly limit: number
  /** What the key of the request was served there (`Flow.counterAt`): of those that wait at several gateways the least goes first. */
  readonly counter: number
}

export interface SlotAnswer {
  readonly granted: boolean
  /** Slots of the host that other gateways hold. */
  readonly elsewhere: number
}

export interface SharedSlots {
  /**
   * What is held is told as a number and never as a difference, so that nothing is held for ever by a message that was lost.
   * Rejects within `storage.redis.answerMsMax` where nobody can tell; then this gateway keeps to its share.
   */
  take(wish: SlotWish): Promise<SlotAnswer>
  /** So many are held by this gateway now: after one was given back. Neither waits nor throws. */
  holds(host: string, model: string, held: number): void
  /** Nobody of this gateway waits for the host any more, so that the others need not stand behind it. */
  withdraw(host: string): void
  /** A slot may have become free for this gateway, which was refused one. */
  onFree(listener: (host: string) => void): void
}
