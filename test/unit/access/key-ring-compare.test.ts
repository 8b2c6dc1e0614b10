/** With what digests are compared where nothing else is given: a spy in the place of Node's own function. */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { expect, onTestFinished, test, vi } from 'vitest'
import { newKey } from '../../../src/access/api-key.ts'
import { KeyRing } from '../../../src/access/key-ring.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { sampleKey } from './sample-key.ts'

/** Those who import the function by its name get the spy, too. */
function spied() {
  const spy = vi.spyOn(crypto, 'timingSafeEqual')
  syncBuiltinESMExports()
  onTestFinished(() => {
    spy.mockRestore()
    syncBuiltinESMExports()
  })
  return spy
}

test('X03: digests are compared in constant time: twice for each key, and by nothing else', () => {
  const spy = spied()
  const { record, text } = sampleKey()
  const parts = { clock: new FakeClock(), allowAnonymous: false, onRevoked: () => {} }
  const ring = new KeyRing({ keys: [record], keysEverCreated: true }, parts)
  const wrong = newKey(record.id).key.reveal()
  const unknown = newKey().key.reveal()
  for (const [key, isGood] of [
    [text, true],
    [wrong, false],
    [unknown, false],
  ] as const) {
    spy.mockClear()
    expect(ring.resolve(key) !== null).toBe(isGood)
    expect(spy.mock.calls.map((digests) => digests.map(({ byteLength }) => byteLength))).toEqual([
      [32, 32],
      [32, 32],
    ])
  }
  // What it says counts, whatever the digests are.
  spy.mockReturnValueOnce(true)
  expect(ring.resolve(wrong)).toBe(record)
  spy.mockReturnValueOnce(false).mockReturnValueOnce(false)
  expect(ring.resolve(text)).toBeNull()
})
