/** Tells which of a few known keys stands in JSON bytes, however it is written, without decoding any other. */

export interface KeyMatch<Word extends string> {
  readonly word: Word
  /** False when only a reader that does not tell capital letters from small ones takes it for the word. */
  readonly exact: boolean
}

const BACKSLASH = 92
const LOWER_U = 117
/** `\u0065` */
const escapeBytes = 6
/** RFC 8259 section 7: all stand for something that is no letter. */
const shortEscapes = Buffer.from('"\\/bfnrt')
/** Stands in no word. */
const noLetter = -1

/** Makes the matcher for these words, which hold small ASCII letters and underscores. */
export function keyMatcher<Word extends string>(words: readonly Word[]) {
  const matches = words.map((word) => ({
    word,
    exact: { word, exact: true } satisfies KeyMatch<Word>,
    folded: { word, exact: false } satisfies KeyMatch<Word>,
  }))
  // Most keys of a body begin like none of the words, or like few.
  const byFirst = Map.groupBy(matches, ({ word }) => word.charCodeAt(0))
  const keyBytesMax = escapeBytes * Math.max(...words.map((word) => word.length))

  /** `start` is at the opening quote of the key and `end` behind the closing one. */
  return (bytes: Buffer, start: number, end: number): KeyMatch<Word> | null => {
    if (end - start - 2 > keyBytesMax) return null
    const alike = byFirst.get(fold(letterAt(bytes, start + 1)))
    if (alike === undefined) return null
    for (const match of alike) {
      const found = compare(bytes, start + 1, end - 1, match.word)
      if (found !== 'other') return match[found]
    }
    return null
  }
}

function compare(bytes: Buffer, start: number, end: number, word: string): 'exact' | 'folded' | 'other' {
  let at = start
  let exact = true
  for (let index = 0; index < word.length; index++) {
    if (at >= end) return 'other'
    const letter = letterAt(bytes, at)
    const wanted = word.charCodeAt(index)
    if (letter !== wanted || isOddEscape(bytes, at)) {
      if (fold(letter) !== wanted) return 'other'
      exact = false
    }
    at += letterBytes(bytes, at)
  }
  if (at !== end) return 'other'
  return exact ? 'exact' : 'folded'
}

/** The code of the letter that is written at this place; `noLetter` for one that no word can hold. */
function letterAt(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? noLetter
  if (byte < 128 && byte !== BACKSLASH) return byte
  if (byte !== BACKSLASH) return longLetter(bytes, at)
  const next = bytes[at + 1] ?? noLetter
  // JSON knows no such escape as `\m`, yet there are readers that take it for the letter.
  if (next !== LOWER_U) return shortEscapes.includes(next) ? noLetter : next
  let code = 0
  for (let index = 2; index < escapeBytes; index++) {
    const digit = hexDigit(bytes[at + index] ?? noLetter)
    if (digit === noLetter) return noLetter
    code = code * 16 + digit
  }
  return code
}

/** Of those written in more than one byte only the two that fold to ASCII matter. */
function longLetter(bytes: Buffer, at: number): number {
  if (bytes[at] === 0xc5 && bytes[at + 1] === 0xbf) return 0x17f
  if (bytes[at] === 0xe2 && bytes[at + 1] === 0x84 && bytes[at + 2] === 0xaa) return 0x212a
  return noLetter
}

function letterBytes(bytes: Buffer, at: number): number {
  if (bytes[at] === BACKSLASH) return bytes[at + 1] === LOWER_U ? escapeBytes : 2
  if (bytes[at] === 0xc5) return 2
  return bytes[at] === 0xe2 ? 3 : 1
}

/** As encoding/json of Go folds a key: besides ASCII, U+017F is an s and U+212A, the sign of Kelvin, a k. */
function fold(letter: number): number {
  if (letter >= 65 && letter <= 90) return letter + 32
  if (letter === 0x17f) return 115
  return letter === 0x212a ? 107 : letter
}

function isOddEscape(bytes: Buffer, at: number): boolean {
  return bytes[at] === BACKSLASH && bytes[at + 1] !== LOWER_U
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : noLetter
}
