/** The port through which several gateways give out the slots of a host so that they never exceed them together. */

/** Of those that wait at several gateways the least goes first: by the urgency of what they wait for, then by the counter. */
export interface SlotRank {
  /** 0: had its turn and was sent back. 1 to 3: its class has less than its share. 4: interactive and default. 5: bulk. One digit. */
  readonly band: number
  /** What the key of the request was served there (`Flow.counterAt`), or when it came, where that is the order of the line. */
  readonly counter: number
}

/** At a host that cannot hold all its models at once. */
export interface ModelWish {
  readonly model: string
  /** The request has it loaded, and so much is put out for it; null where it is there. */
  readonly load: { readonly evicts: readonly string[] } | null
}

export interface SlotWish {
  /** By its name, which is the same at all gateways of a fleet. */
  readonly host: string
  readonly rank: SlotRank
  /** Who waits for it next at this gateway, and has the claim once this one is granted its slot; null where nobody does. */
  readonly next: SlotRank | null
  /** Absent where the host has all its models at any time. */
  readonly models?: ModelWish | undefined
  /** How many wait for it here behind the one that asks: of several free slots nobody who goes after them gets one of theirs. */
  readonly waiting: number
  /** The request has waited so long already for what all gateways decide together: only the rest of what that may take is left. */
  readonly spentMs?: number
}

export interface SlotAnswer {
  readonly granted: boolean
  /** Slots of the host that other gateways hold. */
  readonly elsewhere: number
  /** It was refused for its model alone: the host may have slots for others. */
  readonly isForModel?: boolean
}

/** What this gateway has of a host, as it is when it is asked. */
export interface OwnSlots {
  /** Slots that it holds for certain: none that it waits for an answer for. */
  readonly held: number
  /** That all gateways may hold together, as far as this one knows. */
  readonly limit: number
  /** That it has requests for, what it asks for included; absent where the host has all its models at any time. */
  readonly models?: readonly string[] | undefined
  /** One of them is being loaded for it. */
  readonly loads?: boolean
}

export interface SlotHolder {
  at(host: string): OwnSlots
  /** A slot may have become free for this gateway, which was refused one. `elsewhere`: those that others hold. */
  freed(host: string, elsewhere: number): void
  /** An answer to `take` that nobody waited for any more: what it granted was given back. */
  late(host: string, answer: SlotAnswer): void
}

/**
 * What is held is told as a number and never as a difference, so that nothing is held for ever by a message that was lost.
 * Whoever was refused has a claim for a while: a slot that becomes free goes to the claim of the least rank, and not to
 * whoever happens to ask first.
 */
export interface SharedSlots {
  /** Who holds; asked whenever something is told. */
  begin(holder: SlotHolder): void
  /**
   * One more slot, on top of what is held. Answered once, within `storage.redis.answerMsMax`, and perhaps before this returns:
   * with null where nobody can tell; then this gateway keeps to its share, and to what was left when that was last known.
   */
  take(wish: SlotWish, answered: (answer: SlotAnswer | null) => void): void
  /** What is held by now, after one was given back. `claims`: somebody here still waits for the host. Neither waits nor throws. */
  tell(host: string, claims: boolean): void
  /** What was told last of slots elsewhere counts for so long where one answer does not come; 0 while nobody is asked at all. */
  readonly knownForMs: number
  /** Of so many slots those that this gateway may hold by itself while nobody can tell what the others hold; one at the least. */
  shareOf(limit: number): number
}
