/** What a host said that no client is shown, made fit for the log: it may repeat what it was asked. */

/** So many characters in a row that stand in the request too are taken for a repetition. */
const runCharsMin = 8
/** Beyond it looking for them takes longer than a line of the log is worth. */
const requestBytesMax = 65_536
/** JSON in JSON, as arguments of tools are, and as much again; what is escaped more often is not looked into. */
const escapesDeepMax = 4
const redacted = '[redacted]'
const leftOut = '[left out]'

/** `request`: the bytes that were sent, or none where they are gone; then what came of them cannot be told apart. */
export function withoutRequest(said: string, request: Buffer): string {
  if (request.length === 0 || request.length > requestBytesMax || foreignEscape.test(said)) return leftOut
  const readings = readingsOf(request.toString('utf8'))
  if (readings === null) return leftOut
  const text = unicodeEscape.test(said) ? unescaped(said) : said
  let kept = ''
  let at = 0
  while (at < text.length) {
    const run = repeatedChars(text, at, readings)
    kept += run === 0 ? text.charAt(at) : redacted
    at += Math.max(1, run)
  }
  return kept
}

/** How many characters from there on stand in the request; 0 for too few. */
function repeatedChars(said: string, at: number, readings: readonly string[]): number {
  let length = runCharsMin
  if (at + length > said.length || !holds(readings, said.slice(at, at + length))) return 0
  while (at + length < said.length && holds(readings, said.slice(at, at + length + 1))) length += 1
  return length
}

function holds(readings: readonly string[], text: string): boolean {
  return readings.some((reading) => reading.includes(text))
}

/**
 * The request as it is, and as it reads with its escapes undone, once and again: there are many ways to write a
 * character (`ü`, `\u00fc`, `\u00FC`), and a host quotes what it read. Null where that has no end.
 */
function readingsOf(request: string): string[] | null {
  const readings = [request]
  for (let last = request; ; ) {
    const next = unescaped(last)
    if (next === last) return readings
    if (readings.length > escapesDeepMax) return null
    readings.push(next)
    last = next
  }
}

const unicodeEscape = /\\u[\da-fA-F]{4}/
/** Of Python: bytes, and characters beyond the first plane. */
const foreignEscape = /\\x[\da-fA-F]{2}|\\U[\da-fA-F]{8}/
const escape = /\\(?:u([\da-fA-F]{4})|(["\\/bfnrt]))/g
const meanings: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

/** Halves of a pair stand side by side afterwards, which is a whole one. */
function unescaped(text: string): string {
  return text.replace(escape, (_whole, hex: string | undefined, char: string) =>
    hex === undefined ? (meanings[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
