/** Whether one more model fits into the memory of a host: by how many it holds, and by bytes where these are known. */
import { BoundedMap } from '../base/bounded-map.ts'
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
/** The same where there was nothing beside it: whatever is put out for it is put out in vain. */
const refusedAloneMs = 3_600_000
const modelsMax = 1_000

export class MemoryRoom {
  readonly #parts: RoomParts
  #fileBytes: ReadonlyMap<string, number> = new Map()
  #freeBytes: number | null = null
  /** It had no room beside so many. */
  #refused: { readonly beside: number; readonly atMs: number } | null = null

  /** It had no room for these at all, as of when. */
  readonly #refusedAlone = new BoundedMap<string, number>(modelsMax)

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

  /** There was no room for it although nothing else was there. */
  refusedAlone(model: string): void {
    this.#refusedAlone.set(model, this.#parts.clock.now())
  }

  /**
   * A sentence where it is known not to fit even if all of `others`, which are in memory, were put out; else null. With doubts
   * for the host: by the bare size of its files, and by what the others may take beyond theirs.
   */
  problemOf(model: string, others: readonly string[]): string | null {
    const refusedAtMs = this.#refusedAlone.get(model)
    if (refusedAtMs !== undefined && this.#parts.clock.now() - refusedAtMs < refusedAloneMs) {
      return 'the host has not enough memory for it, whatever else is put out'
    }
    const bytes = this.#fileBytes.get(model)
    if (bytes === undefined || this.#freeBytes === null) return null
    let mostBytes = this.#freeBytes
    for (const other of others) {
      const otherBytes = this.#fileBytes.get(other)
      if (otherBytes === undefined) return null
      mostBytes += otherBytes * bytesPerFileByte
    }
    if (bytes <= mostBytes) return null
    return `it has ${gigabytes(bytes)} GB, and the host has room for ${gigabytes(mostBytes)} GB at the most`
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

function gigabytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1)
}
