/** A key as JSON for whoever administers it. */
import type { KeyRecord } from './key-record.ts'
import type { KeyView } from './key-schema.ts'

export function keyView(key: KeyRecord, nowMs: number): KeyView {
  return {
    id: key.id,
    name: key.name,
    state: keyState(key, nowMs),
    team: key.team,
    models: key.models === null ? null : [...key.models],
    class: key.class,
    weight: key.weight,
    maxOutputTokens: key.maxOutputTokens,
    limits: key.limits,
    tags: { ...key.tags },
    createdAt: isoTime(key.createdAtMs),
    expiresAt: isoTimeOrNull(key.expiresAtMs),
    revokedAt: isoTimeOrNull(key.revokedAtMs),
    endsStreams: key.endsStreams,
    secrets: key.secrets
      .filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs)
      .map(({ expiresAtMs }) => ({ expiresAt: isoTimeOrNull(expiresAtMs) })),
    revision: key.revision,
  }
}

export function keyState(key: KeyRecord, nowMs: number): KeyView['state'] {
  if (key.revokedAtMs !== null) return 'revoked'
  return key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? 'expired' : 'live'
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}
