/** What other gateways have of a host's slots, as far as this one knows; nothing where it stands alone. */
export class SlotsElsewhere {
  /** Slots that others hold. */
  held = 0
  /** One was asked for in vain, and none is known to have become free since. */
  isFull = false
  /** Slots that were free here and are being asked for. */
  asking = 0

  /**
   * It is worth asking for one more where this gateway has so many. What others hold is known from a while ago: where none
   * should be left one is asked for all the same, since whoever is refused hears when one becomes free.
   */
  leavesOne(own: number, limit: number): boolean {
    return !this.isFull && (own + this.held < limit || this.asking === 0)
  }
}
