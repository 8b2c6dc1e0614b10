import { expect, test, vi } from 'vitest'
import { newKey } from '../../../src/access/api-key.ts'
import type { KeyRecord } from '../../../src/access/key-record.ts'
import { KeyRing } from '../../../src/access/key-ring.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { sampleKey } from './sample-key.ts'

/** The bound of the whole start, of which this is a part, and room for a machine that is busy. */
const loadMsMax = 20 * 2_000
const parts = { clock: new FakeClock(), allowAnonymous: false, onRevoked: () => {} }

function records(count: number): KeyRecord[] {
  // All but the id and the digest as one that was really made, since making secrets takes far longer than loading.
  const { record } = sampleKey()
  return Array.from({ length: count }, (_, at) => {
    const id = at.toString(36).padStart(8, '0')
    return {
      ...record,
      id,
      name: `key ${at}`,
      secrets: [{ digest: at.toString(16).padStart(64, '0'), expiresAtMs: null }],
    }
  })
}

test.each([10, 1_000, 100_000])('S14: among %i keys one is found in one step, and so is none', (count) => {
  const { record, text } = sampleKey()
  const keys = [...records(count), record]
  const startedAtMs = performance.now()
  const ring = new KeyRing({ keys, keysEverCreated: true }, parts)
  const loadMs = performance.now() - startedAtMs
  expect(loadMs).toBeLessThan(loadMsMax)

  const lookUps = vi.spyOn(Map.prototype, 'get')
  try {
    const found = ring.resolve(text)
    const unknown = ring.resolve(newKey().key.reveal())
    expect(lookUps).toHaveBeenCalledTimes(2)
    expect(found).toBe(record)
    expect(unknown).toBeNull()
  } finally {
    lookUps.mockRestore()
  }
  ring.apply({ keys: [{ ...record, revokedAtMs: 1, secrets: [], revision: 2 }], keysEverCreated: true })
  expect(ring.resolve(text)).toBeNull()
})
