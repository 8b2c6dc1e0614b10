/** An API key as it is stored: everything about it but its secret, of which only a digest is kept. */
import type { RequestClass } from '../base/request-class.ts'
import type { Limits } from './limits.ts'

/** Clients without a key appear under this name; no key may have it. */
export const keyless = 'anonymous'

export interface KeySecret {
  /** SHA-256 of the whole key as it is sent, in hex. The secret has 256 random bits, so nothing slower is needed. */
  readonly digest: string
  /** Wall clock; null for the one that holds until it is replaced. */
  readonly expiresAtMs: number | null
}

export interface KeyRecord {
  /** Eight base62 characters, public: it stands in the key itself, in logs and in the ledger. */
  readonly id: string
  /** Unique among keys that are not revoked; 1 to 64 printable characters. */
  readonly name: string
  readonly team: string | null
  /** Names as clients ask for them, `*` at the end standing for any rest; null for all. */
  readonly models: readonly string[] | null
  /** The highest class that its requests may have. */
  readonly class: RequestClass
  /** Its share against other keys; 1 unless changed. */
  readonly weight: number
  /** Most tokens of one answer; null for what the host allows. */
  readonly maxOutputTokens: number | null
  readonly limits: Limits
  readonly tags: Readonly<Record<string, string>>
  /** Wall-clock milliseconds since the epoch, as all times here. */
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  /** What runs under it was to end with it when it was revoked. */
  readonly endsStreams: boolean
  /** One, or two while an old one is still good after a rotation; none once revoked. */
  readonly secrets: readonly KeySecret[]
  /** Counts its changes, so that two that cross are noticed. */
  readonly revision: number
}
