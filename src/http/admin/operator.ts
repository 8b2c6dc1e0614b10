/** Who calls the admin listener: the operator, a scraper, or nobody; the one place where that is decided. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isAdminToken } from '../../access/admin-token.ts'
import { bearerToken } from '../../access/credentials.ts'
import type { KeyGuesses } from '../../access/key-guesses.ts'
import { GatewayError } from '../../base/errors.ts'
import { adminTokenPrefix, looksLikeOurs } from '../../base/our-secrets.ts'

/** What a route asks for. `scraper`: whoever may read metrics, and the operator. */
export type Role = 'operator' | 'scraper'

export interface OperatorParts {
  /** SHA-256 of the admin token in hex, as it is now; null where there is none, and then nobody is the operator. */
  readonly adminTokenDigest: () => string | null
  /** Reading metrics needs no token: the listener can only be reached from this machine. */
  readonly metricsOpen: boolean
  readonly metricsToken: string | null
  readonly guesses: KeyGuesses
}

const askFor: Readonly<Record<Role, string>> = {
  operator: 'Send the admin token as a bearer token in the header authorization.',
  scraper: 'Send admin.metricsToken, or the admin token, as a bearer token in the header authorization.',
}

export class OperatorCheck {
  readonly #parts: OperatorParts

  constructor(parts: OperatorParts) {
    this.#parts = parts
  }

  /** Returns for who has the role; throws a GatewayError for everybody else. `address`: of who asks. */
  require(role: Role, authorization: string | undefined, address: string): void {
    const { metricsOpen, guesses } = this.#parts
    if (role === 'scraper' && metricsOpen) return
    const token = bearerToken(authorization ?? '')
    if (token !== null && this.#has(role, token)) return
    const tooOften = token === null ? null : guesses.failed(address)
    if (tooOften !== null) throw tooOften
    if (token !== null && isDataKey(token))
      throw new GatewayError('permission_denied', 'Keys of clients open nothing here.')
    throw new GatewayError('invalid_api_key', askFor[role])
  }

  #has(role: Role, token: string): boolean {
    const { adminTokenDigest, metricsToken } = this.#parts
    const isOperator = isAdminToken(token, adminTokenDigest())
    const isScraper = role === 'scraper' && metricsToken !== null && same(token, metricsToken)
    return isOperator || isScraper
  }
}

/** By its looks, so that the answer tells nothing about whether it is good. */
function isDataKey(token: string): boolean {
  return looksLikeOurs(token) && !token.startsWith(adminTokenPrefix)
}

/** Digests are of one length, so the time of comparing them tells nothing. */
function same(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected))
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
