/** What was charged in the last minute, by the time it was charged at, so that what has passed counts no longer. */

export const windowMs = 60_000
export const slotMs = 2_500
/** One more than a window has: the oldest counts until all of it is older than a window. */
const slots = windowMs / slotMs + 1

/** So much of a refill, or of a slot, is forgiven to the rounding of numbers. */
export const roundingMs = 1e-5

export class MinuteCharges {
  /** By slot of time; made with the first charge. */
  #amounts: Float64Array | null = null
  /** When the last of a slot was charged; null where the slot is exact enough. */
  #lastMs: Float64Array | null = null
  readonly #exact: boolean
  #sum = 0
  #newest: number
  #nowMs: number

  /** `exact`: a slot counts from its last charge, not from its end. */
  constructor({ exact }: { exact: boolean }, nowMs: number) {
    this.#exact = exact
    this.#newest = Math.floor(nowMs / slotMs)
    this.#nowMs = nowMs
  }

  get sum(): number {
    return this.#sum
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs
    const slot = Math.floor(nowMs / slotMs)
    if (slot === this.#newest) return
    if (this.#sum > 0) {
      const first = Math.max(this.#newest + 1, slot - slots + 1)
      for (let passed = first; passed <= slot; passed++) this.#addTo(passed, -this.#in(passed))
    }
    this.#newest = slot
  }

  /** Now. */
  add(amount: number): void {
    this.#addTo(this.#newest, amount)
    if (!this.#exact || amount === 0) return
    this.#lastMs ??= new Float64Array(slots)
    this.#lastMs[place(this.#newest)] = this.#nowMs
  }

  /** Of what was charged then, as far as it still counts. */
  remove(amount: number, chargedAtMs: number): void {
    const slot = Math.floor(chargedAtMs / slotMs)
    if (slot > this.#newest - slots) this.#addTo(slot, -Math.min(amount, this.#in(slot)))
  }

  /** Slot, amount and last time, three after three. */
  written(): number[] {
    const list: number[] = []
    for (let slot = this.#newest - slots + 1; slot <= this.#newest; slot++) {
      const amount = this.#in(slot)
      if (amount !== 0) list.push(slot, amount, this.#lastMs?.[place(slot)] ?? 0)
    }
    return list
  }

  /** In place of what was charged here. */
  read(list: readonly number[], nowMs: number): void {
    this.#amounts?.fill(0)
    this.#lastMs?.fill(0)
    this.#sum = 0
    this.#newest = Math.floor(nowMs / slotMs)
    this.#nowMs = nowMs
    for (let i = 0; i + 2 < list.length; i += 3) {
      const slot = list[i] ?? 0
      if (slot <= this.#newest - slots || slot > this.#newest) continue
      this.#addTo(slot, list[i + 1] ?? 0)
      if (!this.#exact) continue
      this.#lastMs ??= new Float64Array(slots)
      this.#lastMs[place(slot)] = list[i + 2] ?? 0
    }
  }

  scale(by: number): void {
    this.#sum = 0
    this.#amounts = this.#amounts?.map((amount) => Math.floor(amount * by)) ?? null
    for (const amount of this.#amounts ?? []) this.#sum += amount
  }

  /** Of the charges so far, what the window that ends then still holds. */
  at(atMs: number): number {
    let left = this.#sum
    for (let slot = this.#newest - slots + 1; left > 0 && slot <= this.#newest; slot++) {
      const amount = this.#in(slot)
      if (amount === 0) continue
      // What was charged later is gone later: mostly none of it is, and each answer asks.
      if (this.#goneAtMs(slot) > atMs) break
      left -= amount
    }
    return left
  }

  /** Until no more than so much is left inside the window. */
  msUntil(atMost: number, nowMs: number): number {
    if (this.#sum <= atMost) return 0
    let left = this.#sum
    for (let slot = this.#newest - slots + 1; slot <= this.#newest; slot++) {
      left -= this.#in(slot)
      if (left <= atMost) return Math.max(0, Math.ceil(this.#goneAtMs(slot) - nowMs - roundingMs))
    }
    return 0
  }

  #in(slot: number): number {
    return this.#amounts?.[place(slot)] ?? 0
  }

  #addTo(slot: number, amount: number): void {
    this.#amounts ??= new Float64Array(slots)
    this.#amounts[place(slot)] = this.#in(slot) + amount
    this.#sum += amount
  }

  /** From when on nothing that was charged in the slot is inside the window. */
  #goneAtMs(slot: number): number {
    return (this.#lastMs?.[place(slot)] ?? (slot + 1) * slotMs) + windowMs
  }
}

function place(slot: number): number {
  return ((slot % slots) + slots) % slots
}
