/** All keys in memory: finds the record of a key that is sent, by its public id and then by its digest. */
import { hash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import { parseKey } from './api-key.ts'
import { badKey, type Credential } from './credentials.ts'
import type { KeyRecord, KeySecret } from './key-record.ts'

/** Keys as they are now: all of them at the start, those that changed later. */
export interface KeyChange {
  readonly keys: readonly KeyRecord[]
  readonly keysEverCreated: boolean
}

export interface KeyRingParts {
  readonly clock: Clock
  /** Clients without a key are served, also once there are keys. */
  readonly allowAnonymous: boolean
  /** Told once: what waits under the key is to end, and what runs too where the record says so. */
  readonly onRevoked: (key: KeyRecord) => void
  /** Takes the same time whatever differs. */
  readonly sameDigest?: (given: Buffer, stored: Buffer) => boolean
}

/** Of SHA-256. */
const digestBytes = 32
/** Compared where there is nothing else, so that an unknown key takes as long as a wrong one. */
const noDigest = '0'.repeat(2 * digestBytes)
/** Written anew for each comparison: buffers of their own would be made and thrown away for each request. */
const given = Buffer.alloc(digestBytes)
const stored = Buffer.alloc(digestBytes)

export class KeyRing {
  readonly #parts: KeyRingParts
  readonly #sameDigest: (given: Buffer, stored: Buffer) => boolean
  /** With the revoked ones, so that an older state of one that arrives late is known for what it is. */
  readonly #byId = new Map<string, KeyRecord>()
  #keysEverCreated = false

  constructor(state: KeyChange, parts: KeyRingParts) {
    this.#parts = parts
    this.#sameDigest = parts.sameDigest ?? timingSafeEqual
    this.#keysEverCreated = state.keysEverCreated
    for (const key of state.keys) this.#byId.set(key.id, key)
  }

  /** Whether clients without a key are served: only until the first was ever created, unless that is allowed. */
  get anonymous(): boolean {
    return this.#parts.allowAnonymous || !this.#keysEverCreated
  }

  /** Keys that hold now. */
  get live(): number {
    const nowMs = this.#parts.clock.wallMs()
    let live = 0
    for (const { revokedAtMs, expiresAtMs } of this.#byId.values()) {
      if (revokedAtMs === null && holds(expiresAtMs, nowMs)) live += 1
    }
    return live
  }

  /** In order of creation, the revoked ones among them. */
  all(): Iterable<KeyRecord> {
    return this.#byId.values()
  }

  get(id: string): KeyRecord | undefined {
    return this.#byId.get(id)
  }

  /** Takes what changed, from whichever side it comes first. */
  apply(change: KeyChange): void {
    // Anonymity ends for good, so a state from before its end changes nothing.
    this.#keysEverCreated ||= change.keysEverCreated
    const revoked: KeyRecord[] = []
    for (const key of change.keys) {
      const known = this.#byId.get(key.id)
      if (known !== undefined && known.revision > key.revision) continue
      this.#byId.set(key.id, key)
      if (endOf(key) !== endOf(known)) revoked.push(key)
    }
    for (const key of revoked) this.#parts.onRevoked(key)
  }

  /**
   * Whose request this is; null for a client without a key where those are served. There, what is no key of ours counts
   * as none, since many clients cannot do without sending something.
   */
  identify(credential: Credential): KeyRecord | null {
    const key = credential.kind === 'bearer' ? this.resolve(credential.text) : null
    if (key !== null) return key
    if (this.anonymous && (credential.kind === 'none' || !looksLikeOurs(credential.text))) return null
    throw badKey()
  }

  /** The record of a key that holds now; null for every other text. */
  resolve(text: string): KeyRecord | null {
    const id = parseKey(text)?.id
    if (id === undefined) return null
    const key = this.#byId.get(id)
    given.write(hash('sha256', text, 'hex'), 'hex')
    const nowMs = this.#parts.clock.wallMs()
    // Both are looked at in any case: an unknown key, a wrong one and a revoked one take the same way.
    const byFirst = this.#opens(key?.secrets[0], nowMs)
    const bySecond = this.#opens(key?.secrets[1], nowMs)
    if (key === undefined || !(byFirst || bySecond)) return null
    return key.revokedAtMs === null && holds(key.expiresAtMs, nowMs) ? key : null
  }

  /** What was given last. */
  #opens(secret: KeySecret | undefined, nowMs: number): boolean {
    const digest = secret?.digest ?? noDigest
    const isWhole = stored.write(digest, 'hex') === digestBytes && digest.length === noDigest.length
    const isSame = this.#sameDigest(given, stored)
    return isSame && isWhole && secret !== undefined && holds(secret.expiresAtMs, nowMs)
  }
}

function holds(expiresAtMs: number | null, nowMs: number): boolean {
  return expiresAtMs === null || expiresAtMs > nowMs
}

/** How far a key is revoked; it is never taken back. */
function endOf(key: KeyRecord | undefined): 'none' | 'waiting' | 'all' {
  if (key === undefined || key.revokedAtMs === null) return 'none'
  return key.endsStreams ? 'all' : 'waiting'
}
