/** Whether one more model fits into the memory of a host: by how many it holds, and by bytes where these are known. */
import type { Clock } from '../base/clock.ts'
import type { ModelOnDisk } from './kinds/host-kind.ts'

export interface RoomParts {
  readonly clock: Clock
  /** How many it can hold, as configured or as it says. */
  readonly modelsMaxKnown: () => number | undefined
  /** Where nothing of that is known. */
  readonly modelsMaxGuessed: () => number
}

/** Weights are not all: what a model keeps of its conversations grows beside them. */
const bytesPerFileByte = 1.2
/** What a host refused for want of memory may fit later: others on that machine come and go. */
const refusedMs = 600_000

export class MemoryRoom {
  readonly #parts: RoomParts
  #fileBytes: ReadonlyMap<string, number> = new Map()
  #freeBytes: number | null = null
  /** It had no room beside so many. */
  #refused: { readonly beside: number; readonly atMs: number } | null = null

  constructor(parts: RoomParts) {
    this.#parts = parts
  }

  /** The host says how large its models are, and how much memory is left for them; null where it does not say. */
  told(models: readonly ModelOnDisk[], freeBytes: number | null): void {
    this.#fileBytes = new Map(models.flatMap(({ id, bytes }) => (bytes === null ? [] : [[id, bytes]])))
    this.#freeBytes = freeBytes
  }

  /** It is in memory now, or no more: until the host says anew what is left. */
  changed(model: string, by: 'came' | 'left'): void {
    const bytes = (this.#fileBytes.get(model) ?? 0) * (by === 'came' ? -1 : 1)
    if (this.#freeBytes !== null) this.#freeBytes = Math.max(0, this.#freeBytes + bytes)
    if (by === 'left') this.#refused = null
  }

  /** There was no room for one more beside so many. */
  refused(beside: number): void {
    this.#refused = { beside, atMs: this.#parts.clock.now() }
  }

  get modelsMax(): number {
    return this.#parts.modelsMaxKnown() ?? this.#parts.modelsMaxGuessed()
  }

  /** Whether it is certain that this one fits beside so many others once those of `out` are gone. */
  fits(model: string, beside: number, out: readonly string[]): boolean {
    if (beside <= 0) return true
    const { clock, modelsMaxKnown, modelsMaxGuessed } = this.#parts
    const refused = this.#refused
    if (refused !== null && beside >= refused.beside && clock.now() - refused.atMs < refusedMs) return false
    const known = modelsMaxKnown()
    if (known !== undefined && beside >= known) return false
    const bytes = this.#fileBytes.get(model)
    if (bytes === undefined || this.#freeBytes === null) return beside < (known ?? modelsMaxGuessed())
    const freed = out.reduce((sum, one) => sum + (this.#fileBytes.get(one) ?? 0), 0)
    return bytes * bytesPerFileByte <= this.#freeBytes + freed
  }
}
