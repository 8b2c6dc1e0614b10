/**
 * Fields of an object that is told in parts, where nothing is known of a field but its form: lists are continued, of
 * anything else the last value counts, and null says nothing where there is a value.
 */
import type { AssemblySize } from './assembly-size.ts'

interface Field {
  readonly value: unknown
  readonly bytes: number
}

export class MergedFields {
  readonly #size: AssemblySize
  readonly #fields = new Map<string, Field>()

  constructor(size: AssemblySize) {
    this.#size = size
  }

  set(key: string, value: unknown): void {
    const before = this.#fields.get(key)
    if (value === null && before !== undefined) return
    const bytes = key.length + JSON.stringify(value).length
    if (Array.isArray(value) && Array.isArray(before?.value)) {
      this.#size.take(bytes)
      for (const item of value) before.value.push(item)
      this.#fields.set(key, { value: before.value, bytes: before.bytes + bytes })
      return
    }
    this.#size.take(bytes - (before?.bytes ?? 0))
    this.#fields.set(key, { value, bytes })
  }

  get(key: string): unknown {
    return this.#fields.get(key)?.value
  }

  /** As own properties, whatever their names. */
  object(): Record<string, unknown> {
    return Object.fromEntries(Array.from(this.#fields, ([key, { value }]) => [key, value]))
  }
}
