/** A host that returns gets its slots one by one, so that those who waited for it do not bring it down again. */

/** Absorbs what is lost when a time is added up from parts. */
const tinyShare = 1e-9

/** Slots of a host that returned `elapsedMs` ago: from one at once to all after `overMs`. */
export function slowStartSlots(slots: number, elapsedMs: number, overMs: number): number {
  if (elapsedMs >= overMs) return slots
  return 1 + Math.floor(((slots - 1) * elapsedMs) / overMs + tinyShare)
}

/** Until it has one more; null when it has all. */
export function msToNextSlot(slots: number, elapsedMs: number, overMs: number): number | null {
  const now = slowStartSlots(slots, elapsedMs, overMs)
  return now >= slots ? null : (now * overMs) / (slots - 1) - elapsedMs
}
