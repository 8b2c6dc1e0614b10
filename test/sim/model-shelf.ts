/**
 * Which models a machine has in memory. It loads whatever it is asked for, one after the other, and puts out what was used
 * longest ago, whether it is at work or not: nobody but the gateway keeps it from that.
 */
import type { Clock } from '../../src/base/clock.ts'

export interface ShelfParts {
  readonly clock: Clock
  readonly modelsMax: number
  readonly evictMs: number
  /** Of the next load. */
  readonly loadMs: () => number
  readonly putOut: (model: string) => void
}

export class ModelShelf {
  readonly #parts: ShelfParts
  /** The longest unused first. */
  readonly #there = new Set<string>()
  /** What is asked for and not there, in order. */
  readonly #wanted = new Map<string, (() => void)[]>()
  #isLoading = false
  loads = 0
  /** In all loads so far, evictions included. */
  loadingMs = 0
  longestMs = 0

  constructor(parts: ShelfParts) {
    this.#parts = parts
  }

  has(model: string): boolean {
    return this.#there.has(model)
  }

  /** True where it is there; else `ready` is called when it is. */
  use(model: string, ready: () => void): boolean {
    if (this.#there.delete(model)) {
      this.#there.add(model)
      return true
    }
    this.#wanted.set(model, [...(this.#wanted.get(model) ?? []), ready])
    this.#loadNext()
    return false
  }

  #loadNext(): void {
    const [model] = this.#wanted.keys()
    if (this.#isLoading || model === undefined) return
    this.#isLoading = true
    let ms = this.#parts.loadMs()
    for (const oldest of this.#there) {
      if (this.#there.size < this.#parts.modelsMax) break
      this.#there.delete(oldest)
      ms += this.#parts.evictMs
      this.#parts.putOut(oldest)
    }
    this.loads++
    this.#parts.clock.after(ms, () => this.#loaded(model, ms))
  }

  #loaded(model: string, ms: number): void {
    this.#isLoading = false
    this.loadingMs += ms
    this.longestMs = Math.max(this.longestMs, ms)
    this.#there.add(model)
    const waiting = this.#wanted.get(model) ?? []
    this.#wanted.delete(model)
    for (const ready of waiting) ready()
    this.#loadNext()
  }
}
