/** Digests of the beginnings of prompts. */
import * as fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { digestsMax, PromptPrinter } from '../../../src/balancing/prompt-print.ts'
import type { PromptPiece } from '../../../src/wire/prompt-parts.ts'

const secret = { left: 1, right: 2, factors: [0x239b961b, 0x4cf5ad43, 0x2745937f, 0x38b34ae5] } as const
const printer = new PromptPrinter(secret)

/** Pieces of messages alone, of one buffer as in a body, at places of any alignment. */
function messages(texts: readonly string[], role: PromptPiece['role'] = 'own'): PromptPiece[] {
  return texts.map((text) => {
    const bytes = Buffer.from(`xyz${text}.`)
    return { bytes, start: 3, end: bytes.length - 1, kind: 1, role }
  })
}

const printOf = (texts: readonly string[]) => printer.print(messages(texts), null)
/** Of the same length, each with other words. */
const text = (bytes: number, seed = 0): string =>
  Array.from({ length: Math.ceil(bytes / 8) }, (_, at) => (at * 7919 + seed).toString(36).padStart(8, '.'))
    .join('')
    .slice(0, bytes)

describe('beginnings end', () => {
  it('behind each message of a short chat, and a longer chat begins with all of them', () => {
    const short = printOf(['hello', 'hi', 'how are you'])
    expect(short.ends).toEqual([5, 7, 18])
    const long = printOf(['hello', 'hi', 'how are you', 'fine', 'and you'])
    expect(long.digests.slice(0, 3)).toEqual(short.digests)
  })

  it('inside of a long message, each kB at first and then farther and farther apart', () => {
    const { ends, bytes } = printOf([text(1_000_000)])
    expect(ends.slice(0, 3)).toEqual([1_024, 2_048, 3_072])
    expect(ends.at(-1)).toBe(bytes)
    const steps = ends.slice(1).map((end, at) => end - (ends[at] ?? 0))
    expect(steps.slice(0, 31).every((step) => step === 1_024)).toBe(true)
    // Never more than a 32nd of what came before is lost to a prompt that goes on otherwise.
    expect(steps.every((step, at) => step <= Math.max(1_024, (ends[at] ?? 0) / 32))).toBe(true)
    expect(ends.length).toBeLessThan(200)
  })

  it('so that the largest body of the smallest messages has no more than a few hundred', () => {
    const many = printOf(Array.from({ length: 100_000 }, (_, at) => text(100, at)))
    expect(many.digests.length).toBeGreaterThan(100)
    expect(many.digests.length).toBeLessThan(digestsMax)
    expect(new Set(many.digests).size).toBe(many.digests.length)
  })

  it('in no more than so many places, and all of the longest prompt is counted', () => {
    // Each message as short as it may be for a beginning to end behind it.
    const bytes = Buffer.alloc(64 * 1_048_576, 'a')
    const pieces: PromptPiece[] = []
    for (let start = 0; start < bytes.length; start = pieces.at(-1)?.end ?? 0) {
      const end = Math.min(bytes.length, start + Math.max(512, Math.ceil(start / 64)))
      pieces.push({ bytes, start, end, kind: 1, role: 'own' })
    }
    expect(pieces.length).toBeGreaterThan(digestsMax)
    const print = printer.print(pieces, null)
    expect([print.digests.length, print.ends.length, print.bytes]).toEqual([digestsMax, digestsMax, bytes.length])
    expect(print.ends.at(-1)).toBeLessThan(bytes.length)
  })

  it('where what is common ends, however little that is and whatever follows', () => {
    const ofSystem = [{ ...messages(['tools'])[0]!, role: 'common' as const }, ...messages(['be good'], 'common')]
    const short = printer.print([...ofSystem, ...messages(['hello'])], null)
    expect([short.commonCount, short.ends]).toEqual([2, [5, 12, 17]])
    const long = printer.print([...ofSystem, ...messages([text(5_000)])], null)
    expect(long.commonCount).toBe(2)
    expect(long.digests.slice(0, 2)).toEqual(short.digests.slice(0, 2))
    expect(printOf(['hello']).commonCount).toBe(0)
  })
})

describe('no two prompts have a digest in common', () => {
  const seen = (pieces: PromptPiece[], owner: string | null = null, by = printer): readonly number[] =>
    by.print(pieces, owner === null ? null : { holder: owner, from: 'start' }).digests

  test.each<[string, readonly number[], readonly number[]]>([
    ['of different words', printOf(['hello']).digests, printOf(['hellp']).digests],
    ['with the same words cut elsewhere', printOf(['ab', 'c']).digests, printOf(['a', 'bc']).digests],
    ['of which one has nothing where the other has noughts', printOf(['a']).digests, printOf(['a\0\0']).digests],
    ['where one has a seed', seen(messages(['a'])), seen([...messages(['low'], 'seed'), ...messages(['a'])])],
    ['of other seeds', ...pair((effort) => seen([...messages([effort], 'seed'), ...messages(['a'])]))],
    ['of another kind', seen(messages(['a'])), seen(messages(['a']).map((piece) => ({ ...piece, kind: 2 })))],
    ['of different owners', ...pair((owner) => seen(messages(['a']), owner))],
    ['of an owner and of nobody', seen(messages(['a']), 'ann'), seen(messages(['a']))],
    ['by another secret', seen(messages(['a'])), seen(messages(['a']), null, new PromptPrinter())],
  ])('%s', (_what, one, other) => {
    expect(one.length).toBeGreaterThan(0)
    expect(other.filter((digest) => one.includes(digest))).toEqual([])
  })

  function pair<T>(make: (word: string) => T): [T, T] {
    return [make('low'), make('high')]
  }

  it('nor do two that meet where nothing but the beginning is secret', () => {
    // Both come to the same by MurmurHash3 with its own constants, whatever it begins with.
    const texts = ['"Q q}Qs}hihc(g<v*"', '")~\'&.Z0lihv|g<v*"'].map((word) => word.slice(1, -1))
    for (const by of [printer, new PromptPrinter()]) {
      const [one, other] = texts.map((word) => {
        const bytes = Buffer.from(word.repeat(100))
        return seen([{ bytes, start: 0, end: bytes.length, kind: 1, role: 'own' }], null, by)
      })
      expect(one).not.toEqual(other)
    }
  })

  it('nor do a hundred thousand that differ in a few bits, at any place of a step', () => {
    const texts = new Set<string>()
    const digests = new Set<number>()
    for (let at = 0; at < 100_000; at++) {
      const bytes = Buffer.alloc(24)
      bytes.writeUInt32LE(at, at % 20)
      texts.add(bytes.toString('latin1'))
      digests.add(printer.print([{ bytes, start: 0, end: 24, kind: 1, role: 'own' }], null).digests[0] ?? -1)
    }
    expect(digests.size).toBe(texts.size)
    for (const digest of digests) if (!Number.isSafeInteger(digest) || digest < 0) expect.fail(String(digest))
    // All bits are used: of the highest half of them as many are set as not.
    const high = [...digests].filter((digest) => digest >= 2 ** 52).length
    expect(Math.abs(high / digests.size - 0.5)).toBeLessThan(0.02)
  })
})

test('what is common may be of all, and what follows of one alone', () => {
  const common = messages(['tools', 'be good'], 'common')
  const of = (holder: string) =>
    printer.print([...common, ...messages(['hello', 'hi'])], { holder, from: 'own' }).digests
  const [ann, ben] = [of('ann'), of('ben')]
  expect(ann).toHaveLength(4)
  expect(ann.filter((digest) => ben.includes(digest))).toEqual(ann.slice(0, 2))
  expect(printer.print(messages(['hello']), { holder: 'ann', from: 'own' }).digests).not.toEqual(
    printer.print(messages(['hello']), { holder: 'ben', from: 'own' }).digests,
  )
})

it('equal beginnings have equal digests, and others have others, whatever the prompts are', () => {
  const word = fc.oneof(
    fc.constantFrom('a', 'b', ''),
    fc.string(),
    fc.integer({ min: 0, max: 6_000 }).map((bytes) => text(bytes)),
  )
  fc.assert(
    fc.property(fc.array(word), fc.array(word), fc.array(word), (shared, one, other) => {
      const [left, right] = [printOf([...shared, ...one]), printOf([...shared, ...other])]
      const common = commonBytes([...shared, ...one], [...shared, ...other])
      for (const [at, end] of left.ends.entries()) {
        const isSame = left.digests[at] === right.digests[at] && right.ends[at] === end
        if (isSame !== end <= common && end !== common) {
          expect.fail(`the beginning of ${end} bytes, of ${common} in common: ${isSame ? 'same' : 'another'}`)
        }
      }
      expect(new Set(left.digests).size).toBe(left.digests.length)
    }),
  )
})

/** Bytes of the longest beginning of both; a message that ends in one and goes on in the other is none beyond its end. */
function commonBytes(one: readonly string[], other: readonly string[]): number {
  let bytes = 0
  for (const [at, message] of one.entries()) {
    const theirs = other[at]
    if (theirs === message) {
      bytes += Buffer.byteLength(message)
      continue
    }
    const [ours, others] = [Buffer.from(message), Buffer.from(theirs ?? '')]
    if (theirs === undefined) return bytes
    let same = 0
    while (same < ours.length && ours[same] === others[same]) same++
    return bytes + same
  }
  return bytes
}

it('a name is a short word that tells nothing of what it was made of, and is another one for each owner', () => {
  const names = ['ann', 'bob'].flatMap((owner) => ['one', 'two'].map((name) => printer.nameOf(name, owner)))
  expect(new Set(names).size).toBe(4)
  expect(printer.nameOf('one', 'ann')).toBe(names[0])
  // Nor can a name be chosen so that it goes on where an owner ends.
  expect(printer.nameOf('bc', 'a')).not.toBe(printer.nameOf('c', 'ab'))
  for (const name of names) expect(name).toMatch(/^[0-9a-z]{1,11}$/)
})

it('is the same for an owner that was never seen, for one that is known, and wherever in a buffer a prompt lies', () => {
  const owner = { holder: 'ann', from: 'own' } as const
  for (const bytes of [1, 7, 8, 63, 64, 65, 129, 5_000]) {
    const texts = [text(bytes), text(bytes, 1)]
    const known = printer.print(messages(texts), owner)
    expect(printer.print(messages(texts), owner)).toEqual(known)
    const other = new PromptPrinter(secret)
    const body = Buffer.from(`${text(1_000, 2)}${texts.join('')}`)
    const pieces = [0, 1].map(
      (at): PromptPiece => ({
        bytes: body,
        start: 1_000 + at * bytes,
        end: 1_000 + (at + 1) * bytes,
        kind: 1,
        role: 'own',
      }),
    )
    expect(other.print(pieces, owner)).toEqual(known)
    expect(new PromptPrinter(secret).nameOf('', 'ann')).toBe(other.ownerOf('ann'))
  }
})
