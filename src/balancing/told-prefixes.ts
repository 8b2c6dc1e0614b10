/**
 * Which host was sent which beginnings of prompts by other gateways, so that a conversation finds its host whichever it comes
 * to. Told are digests that are new, each once in a while, and to one that starts those of the last minutes.
 */
import type { Host } from '../hosts/host.ts'
import type { PrefixMemory } from './prefix-memory.ts'
import { byName, fieldsOf, isName, rowsOf } from './told-rows.ts'

/** Host, model there, digests. */
type Row = readonly [string, string, string]

interface Told {
  /** By which secret these were made: others say nothing to whoever has another one. */
  readonly mark: string
  readonly rows: readonly Row[]
}

export interface ToldPrefixesParts {
  readonly hosts: () => Iterable<Host>
  readonly prefixes: PrefixMemory
  /** Null while the secret is not that of all. */
  readonly mark: () => string | null
}

/** Of one beat, over all hosts and models: some 20 kB. What is beyond is not told. */
export const digestsPerBeatMax = 2_000
/** What one that starts is told: of so long, and so many at the most. */
const seedWithinMs = 10 * 60_000
export const seedDigestsMax = 10_000
const digestBytes = 8

interface Batch {
  readonly host: Host
  readonly model: string
  readonly digests: number[]
}

export class ToldPrefixes {
  readonly #parts: ToldPrefixesParts
  #fresh: Batch[] = []
  #freshCount = 0
  /** What one that starts is yet to be told, the next first. */
  #seeds: Batch[] = []

  constructor(parts: ToldPrefixesParts) {
    this.#parts = parts
    parts.prefixes.tellTo((host, model, digests) => this.#remembered(host, model, digests))
  }

  tell(): Told | undefined {
    const batches = this.#fresh
    const room = digestsPerBeatMax - this.#freshCount
    this.#fresh = []
    this.#freshCount = 0
    const mark = this.#parts.mark()
    if (mark === null) return undefined
    batches.push(...this.#nextSeeds(room))
    if (batches.length === 0) return undefined
    return { mark, rows: batches.map(({ host, model, digests }): Row => [host.name, model, packed(digests)]) }
  }

  heard(told: unknown): void {
    const { mark, rows } = fieldsOf(told)
    if (mark !== this.#parts.mark()) return
    const hosts = byName(this.#parts.hosts())
    for (const [name, model, text] of rowsOf(rows)) {
      if (!isName(name) || !isName(model) || typeof text !== 'string') throw new Error('A row of prompts is none.')
      const host = hosts.get(name)
      // What it had kept went with it.
      if (host?.up === true) this.#parts.prefixes.heard(host, model, unpacked(text))
    }
  }

  /** One has come that knows of nothing yet. */
  seed(): void {
    const seeds: Batch[] = []
    let room = seedDigestsMax
    for (const host of this.#parts.hosts()) {
      for (const [model, newest] of this.#parts.prefixes.newest(host, seedWithinMs)) {
        const digests: number[] = []
        for (const digest of newest) {
          if (room === 0) break
          room--
          digests.push(digest)
        }
        if (digests.length > 0) seeds.push({ host, model, digests: digests.toReversed() })
      }
    }
    this.#seeds = seeds
  }

  #remembered(host: Host, model: string, digests: readonly number[]): void {
    const count = Math.min(digests.length, digestsPerBeatMax - this.#freshCount)
    if (count <= 0) return
    this.#freshCount += count
    // The shortest beginnings come last, and are of use without the longer ones.
    const told = digests.slice(digests.length - count)
    const last = this.#fresh.at(-1)
    if (last?.host === host && last.model === model) last.digests.push(...told)
    else this.#fresh.push({ host, model, digests: told })
  }

  #nextSeeds(room: number): readonly Batch[] {
    const next: Batch[] = []
    let left = room
    while (left > 0) {
      const seed = this.#seeds[0]
      if (seed === undefined) break
      const digests = seed.digests.splice(0, left)
      left -= digests.length
      next.push({ ...seed, digests })
      if (seed.digests.length === 0) this.#seeds.shift()
    }
    return next
  }
}

function packed(digests: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(digests.length * digestBytes)
  for (const [at, digest] of digests.entries()) bytes.writeDoubleLE(digest, at * digestBytes)
  return bytes.toString('base64')
}

function unpacked(text: string): readonly number[] {
  const bytes = Buffer.from(text, 'base64')
  const count = Math.floor(bytes.length / digestBytes)
  if (count > digestsPerBeatMax) throw new Error('More beginnings of prompts are told than anybody tells at once.')
  const digests: number[] = []
  for (let at = 0; at < count; at++) {
    const digest = bytes.readDoubleLE(at * digestBytes)
    if (!Number.isSafeInteger(digest) || digest < 0) throw new Error('What is told of prompts are no digests.')
    digests.push(digest)
  }
  return digests
}
