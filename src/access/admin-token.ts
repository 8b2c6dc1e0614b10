/** The token of the admin listener: `lmx_admin_<43 base62>`, of which only a digest is kept. */
import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { randomId } from '../base/ids.ts'
import { adminTokenPrefix } from '../base/our-secrets.ts'
import { digestOf } from './api-key.ts'
import type { AuditEntry, KeyStore } from './key-store.ts'
import { Secret } from './secret.ts'

/** 256 bits. */
const secretLength = 43

/** Makes and stores a token that replaces the one before it at once, and gives it to be shown. */
export async function replaceAdminToken(
  store: KeyStore,
  { clock, actor, action }: { clock: Clock; actor: string; action: 'admin-token.create' | 'admin-token.rotate' },
): Promise<Secret> {
  const { token, digest } = newAdminToken()
  const audit: AuditEntry = { atMs: clock.wallMs(), actor, action, keyId: null, keyName: null, detail: {} }
  await store.setAdminTokenDigest(digest, audit)
  return token
}

export function newAdminToken(): { readonly token: Secret; readonly digest: string } {
  const text = `${adminTokenPrefix}${randomId(secretLength)}`
  return { token: new Secret(text), digest: digestOf(text) }
}

/** Without a stored digest nothing is the token. */
export function isAdminToken(text: string, storedDigest: string | null): boolean {
  const given = Buffer.from(digestOf(text), 'hex')
  const stored = Buffer.from(storedDigest ?? '', 'hex')
  return stored.length === given.length && timingSafeEqual(given, stored)
}
