/** What other gateways have of a host's slots, as far as this one knows; nothing where it stands alone. */
export class SlotsElsewhere {
  /** Slots that others hold. */
  held = 0
  /** One was asked for in vain, and none is known to have become free since. */
  isFull = false
  /** Slots that were free here and are being asked for. */
  asking = 0
  #toldAtMs = Number.NEGATIVE_INFINITY
  #answered = 0
  #answeredAtMs = Number.NEGATIVE_INFINITY

  /** The others have said so, each for itself. */
  told(held: number, nowMs: number): void {
    this.held = held
    this.#toldAtMs = nowMs
  }

  /** Whoever gives out the slots of all has said so. */
  answered(held: number, nowMs: number): void {
    this.told(held, nowMs)
    this.#answered = held
    this.#answeredAtMs = nowMs
  }

  /** What others hold by all that was told of it in so long, of which the one may be older than the other; null where nothing was. */
  heldWithin(ms: number, nowMs: number): number | null {
    if (nowMs - this.#toldAtMs >= ms) return null
    return nowMs - this.#answeredAtMs < ms ? Math.max(this.held, this.#answered) : this.held
  }

  /**
   * It is worth asking for one more where this gateway has so many. What others hold is known from a while ago: where none
   * should be left one is asked for all the same, since whoever is refused hears when one becomes free.
   */
  leavesOne(own: number, limit: number): boolean {
    return !this.isFull && (own + this.held < limit || this.asking === 0)
  }
}
