/** What becomes of a key's record when it is made or changed, and what the audit trail says of it. */
import type { NewKey } from './api-key.ts'
import type { KeyRecord } from './key-record.ts'
import { expiryMs, type KeyChangeInput, type NewKeyInput } from './key-schema.ts'
import type { AuditEntry } from './key-store.ts'
import { type LimitName, type Limits, limitNames } from './limits.ts'

export function newRecord(wanted: NewKeyInput, issued: NewKey, nowMs: number): KeyRecord {
  return {
    id: issued.id,
    name: wanted.name,
    team: wanted.team ?? null,
    models: wanted.models ?? null,
    class: wanted.class ?? 'default',
    weight: wanted.weight ?? 1,
    maxOutputTokens: wanted.maxOutputTokens ?? null,
    limits: changedLimits({}, wanted.limits),
    tags: wanted.tags ?? {},
    createdAtMs: nowMs,
    expiresAtMs: expiryOf(wanted.expiresAt, nowMs) ?? null,
    revokedAtMs: null,
    endsStreams: false,
    secrets: [{ digest: issued.digest, expiresAtMs: null }],
    revision: 1,
  }
}

/** With the same revision: whoever stores it counts. */
export function changedRecord(key: KeyRecord, wanted: KeyChangeInput, nowMs: number): KeyRecord {
  const { name, team, models, class: highest, weight, maxOutputTokens, tags } = wanted
  const expiresAtMs = expiryOf(wanted.expiresAt, nowMs)
  return {
    ...key,
    ...(name === undefined ? {} : { name }),
    ...(team === undefined ? {} : { team }),
    ...(models === undefined ? {} : { models }),
    ...(highest === undefined ? {} : { class: highest }),
    ...(weight === undefined ? {} : { weight }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(tags === undefined ? {} : { tags }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    limits: changedLimits(key.limits, wanted.limits),
  }
}

/** Null where it is to have no end, undefined where nothing was said. */
function expiryOf(text: string | null | undefined, nowMs: number): number | null | undefined {
  return typeof text === 'string' ? expiryMs(text, nowMs) : text
}

function changedLimits(limits: Limits, wanted: KeyChangeInput['limits'] = {}): Limits {
  const merged = { ...limits, ...wanted }
  const changed: { -readonly [Name in LimitName]?: number } = {}
  for (const name of limitNames) {
    const value = merged[name]
    if (typeof value === 'number') changed[name] = value
  }
  return changed
}

/** Fields that differ with their new values; of lists and tags, which may hold anything, only how many there are. */
export function differences(before: KeyRecord | null, after: KeyRecord): AuditEntry['detail'] {
  const old = before === null ? {} : described(before)
  return Object.fromEntries(
    Object.entries(described(after)).flatMap(([field, { value, told }]) => {
      const was = old[field]?.value ?? null
      return value === was ? [] : [[field, told]]
    }),
  )
}

interface Described {
  /** To compare. */
  readonly value: string | number | null
  /** To say. */
  readonly told: string | number | null
}

function described(key: KeyRecord): Record<string, Described> {
  const expiresAt = key.expiresAtMs === null ? null : new Date(key.expiresAtMs).toISOString()
  return {
    name: plain(key.name),
    team: plain(key.team),
    models: { value: key.models === null ? null : JSON.stringify(key.models), told: key.models?.length ?? null },
    class: plain(key.class),
    weight: plain(key.weight),
    maxOutputTokens: plain(key.maxOutputTokens),
    expiresAt: plain(expiresAt),
    ...Object.fromEntries(limitNames.map((name) => [`limits.${name}`, plain(key.limits[name] ?? null)])),
    tags: { value: tagLines(key.tags), told: Object.keys(key.tags).length },
  }
}

function plain(value: string | number | null): Described {
  return { value, told: value }
}

/** In one order, whoever wrote them. */
function tagLines(tags: KeyRecord['tags']): string {
  return JSON.stringify(
    Object.keys(tags)
      .toSorted(byCode)
      .map((name) => [name, tags[name]]),
  )
}

function byCode(a: string, b: string): number {
  return a < b ? -1 : 1
}
