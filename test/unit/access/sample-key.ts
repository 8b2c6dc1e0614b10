/** Keys for tests: a record and the text that opens it. */

import { newKey } from '../../../src/access/api-key.ts'
import type { KeyRecord } from '../../../src/access/key-record.ts'

export function sampleKey(changes: Partial<KeyRecord> = {}): { record: KeyRecord; text: string } {
  const { id, key, digest } = newKey(changes.id)
  const record: KeyRecord = {
    id,
    name: `key ${id}`,
    team: null,
    models: null,
    class: 'default',
    weight: 1,
    maxOutputTokens: null,
    limits: {},
    tags: {},
    createdAtMs: Date.UTC(2026, 0, 1),
    expiresAtMs: null,
    revokedAtMs: null,
    endsStreams: false,
    secrets: [{ digest, expiresAtMs: null }],
    revision: 1,
    ...changes,
  }
  return { record, text: key.reveal() }
}
