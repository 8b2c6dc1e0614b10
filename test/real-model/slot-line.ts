/** A fixed number of slots, given out first come, first served; whoever gives up waiting leaves the line. */

interface Waiting<Slot> {
  take: (slot: Slot) => void
}

export class SlotLine<Slot> {
  readonly #free: Slot[]
  readonly #waiting = new Set<Waiting<Slot>>()
  /** The longest the line has ever been. */
  waitingPeak = 0

  constructor(slots: readonly Slot[]) {
    this.#free = [...slots]
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Resolves with a slot, which must be given back; rejects with the signal's reason when that comes first. */
  async take(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted()
    const slot = this.#free.shift()
    return slot ?? (await this.#wait(signal))
  }

  giveBack(slot: Slot): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(slot)
      return
    }
    this.#waiting.delete(next)
    next.take(slot)
  }

  async #wait(signal: AbortSignal): Promise<Slot> {
    return new Promise<Slot>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(waiting)
        reject(signal.reason as Error)
      }
      const waiting: Waiting<Slot> = {
        take: (slot) => {
          signal.removeEventListener('abort', giveUp)
          resolve(slot)
        },
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.add(waiting)
      this.waitingPeak = Math.max(this.waitingPeak, this.#waiting.size)
    })
  }
}
