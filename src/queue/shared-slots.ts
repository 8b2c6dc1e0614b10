/** The port through which several gateways give out the slots of a host so that they never exceed them together. */

/** Of those that wait at several gateways the least counter goes first, bulk work behind all other. */
export interface SlotClaim {
  /** What its key was served at the host (`Flow.counterAt`). */
  readonly counter: number
  readonly isBulk: boolean
}

export interface SlotWish extends SlotClaim {
  /** By its name, which is the same at all gateways of a fleet. */
  readonly host: string
  /** As the host calls it. */
  readonly model: string
  /** Slots of the host that this gateway holds, the wished one included. */
  readonly held: number
  /** That all may hold together, as far as this gateway knows. */
  readonly limit: number
  /**
   * The first of those that go on waiting here for the host whatever the answer is, and how many they are; null where nobody does.
   * While somebody waits, this stands: it is told with the first that finds the host full, kept when a slot is granted, renewed
   * before it expires. A slot is granted only where more are free than wait elsewhere with a smaller counter, so that a
   * gateway that frees several at once, or has just been given one, is neither first nor forgotten (README, "Between gateways").
   */
  readonly next: (SlotClaim & { readonly waiting: number }) | null
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
