import { hrtime } from 'node:process'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { newKey, parseKey } from '../../../src/access/api-key.ts'
import { KeyRing } from '../../../src/access/key-ring.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { sampleKey } from './sample-key.ts'

const isLong = process.env['TEST_LONG'] === 'true'
/** Of a difference between two means, in their own spread: what chance hardly ever makes. */
const tMax = 4.5
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A key of the same id whose secret begins as the true one does, for so many characters, with a right checksum. */
function nearly(text: string, sameLength: number): string {
  const stranger = newKey(text.slice(9, 17)).key.reveal()
  const body = text.slice(0, 18 + sameLength) + stranger.slice(18 + sameLength, 61)
  let rest = crc32(body)
  let checksum = ''
  for (let place = 0; place < 6; place++) {
    checksum = (base62[rest % 62] ?? '') + checksum
    rest = Math.floor(rest / 62)
  }
  return `${body}_${checksum}`
}

/** Welch's t between two ways, by turns in random order, without the slowest tenth, which the machine causes. */
function welch(samples: number, ways: readonly [() => void, () => void]): number {
  const taken: [number[], number[]] = [[], []]
  for (let at = 0; at < samples * 2; at++) {
    const which = Math.random() < 0.5 ? 0 : 1
    const startedAt = hrtime.bigint()
    ways[which]()
    taken[which].push(Number(hrtime.bigint() - startedAt))
  }
  const limit = taken.flat().toSorted((a, b) => a - b)[Math.floor(samples * 2 * 0.9)] ?? 0
  const [first, second] = taken.map((all) => {
    const kept = all.filter((ns) => ns <= limit)
    const mean = kept.reduce((sum, ns) => sum + ns, 0) / kept.length
    const variance = kept.reduce((sum, ns) => sum + (ns - mean) ** 2, 0) / (kept.length - 1)
    return { mean, error: variance / kept.length }
  })
  if (first === undefined || second === undefined) throw new Error('nothing was measured')
  return (first.mean - second.mean) / Math.sqrt(first.error + second.error)
}

function ringWithOne() {
  const { record, text } = sampleKey()
  const parts = { clock: new FakeClock(), allowAnonymous: false, onRevoked: () => {} }
  return { ring: new KeyRing({ keys: [record], keysEverCreated: true }, parts), text }
}

test('X03: a key that is right but for its end is refused as one that is wrong from its start', () => {
  const { ring, text } = ringWithOne()
  for (const sameLength of [0, 1, 21, 42]) {
    const guess = nearly(text, sameLength)
    expect(parseKey(guess)).toEqual(parseKey(text))
    expect(ring.resolve(guess)).toBeNull()
  }
  expect(ring.resolve(text)).not.toBeNull()
})

if (isLong) {
  test('X03: how much of a key is right shows in no time that it takes', { timeout: 120_000 }, () => {
    const { ring, text } = ringWithOne()
    const guesses = [nearly(text, 42), nearly(text, 0)] as const
    const ways = [() => ring.resolve(guesses[0]), () => ring.resolve(guesses[1])] as const
    // The machine is shared, so one round of several has to be quiet; a difference that is there shows in each.
    const rounds = Array.from({ length: 5 }, () => welch(50_000, ways))
    process.stdout.write(`  measured: t of near and far guesses ${rounds.map((t) => t.toFixed(2)).join(', ')}\n`)
    expect(Math.min(...rounds.map(Math.abs))).toBeLessThan(tMax)
  })
}
