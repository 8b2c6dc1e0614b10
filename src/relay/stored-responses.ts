/** Which host keeps a stored response: remembered within bounds, and so that whoever makes many of them forgets its own first. */
import type { Host } from '../hosts/host.ts'
import type { Caller } from './caller.ts'

interface Entry {
  readonly host: Host
  readonly holder: string
}

/** Beyond this share of all of them a holder makes room before others do. */
const shareMax = 0.1

type Owner = Pick<Caller, 'keyId' | 'holder'>

export class StoredResponses {
  readonly #countMax: number
  /** Oldest first, as those of each holder. */
  readonly #entries = new Map<string, Entry>()
  readonly #namesOf = new Map<string, Set<string>>()
  /** Holders beyond their share: nine at the most. */
  readonly #large = new Set<string>()

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  get(owner: Owner, responseId: string): Host | undefined {
    return this.#entries.get(nameOf(owner, responseId))?.host
  }

  /** Written again it is the newest. */
  set(owner: Owner, responseId: string, host: Host): void {
    const { holder } = owner
    const name = nameOf(owner, responseId)
    this.#forget(name)
    this.#entries.set(name, { host, holder })
    const names = this.#namesOf.get(holder) ?? new Set()
    this.#namesOf.set(holder, names.add(name))
    this.#weigh(holder, names.size)
    if (this.#entries.size > this.#countMax) this.#forget(this.#oldestOf(this.#payer(holder)))
  }

  /** Null where nobody has more than its share: then the oldest of all goes. */
  #payer(holder: string): string | null {
    if (this.#large.has(holder)) return holder
    return firstOf(this.#large) ?? null
  }

  #oldestOf(holder: string | null): string {
    const names = holder === null ? this.#entries.keys() : (this.#namesOf.get(holder) ?? [])
    return firstOf(names) ?? ''
  }

  #forget(name: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    const names = this.#namesOf.get(entry.holder)
    if (names === undefined) return
    names.delete(name)
    if (names.size === 0) this.#namesOf.delete(entry.holder)
    this.#weigh(entry.holder, names.size)
  }

  #weigh(holder: string, count: number): void {
    if (count > Math.max(1, this.#countMax * shareMax)) this.#large.add(holder)
    else this.#large.delete(holder)
  }
}

/** Another key cannot go on from it, whatever ids it tries. */
function nameOf({ keyId }: Owner, responseId: string): string {
  return `${keyId ?? ''}/${responseId}`
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item
  return undefined
}
