/** What a host said that no client is shown, made fit for the log: it may repeat what it was asked. */

/** So many characters in a row that stand in the request too are taken for a repetition. */
const runCharsMin = 8
/** Beyond it looking for them takes longer than a line of the log is worth. */
const requestBytesMax = 65_536
const redacted = '[redacted]'

/** `request`: the bytes that were sent, or none where they are gone; then what came of them cannot be told apart. */
export function withoutRequest(said: string, request: Buffer): string {
  if (request.length === 0 || request.length > requestBytesMax) return '[left out]'
  let kept = ''
  let at = 0
  while (at < said.length) {
    const run = repeatedChars(said, at, request)
    kept += run === 0 ? said.charAt(at) : redacted
    at += Math.max(1, run)
  }
  return kept
}

/** How many characters from there on stand in the request; 0 for too few. */
function repeatedChars(said: string, at: number, request: Buffer): number {
  let length = runCharsMin
  if (at + length > said.length || !holds(request, said.slice(at, at + length))) return 0
  while (at + length < said.length && holds(request, said.slice(at, at + length + 1))) length += 1
  return length
}

/** As it is, or as JSON spells it. */
function holds(request: Buffer, text: string): boolean {
  return request.includes(text) || request.includes(JSON.stringify(text).slice(1, -1))
}
