/** Words that came from elsewhere, made fit for a terminal. */

/** What would steer the terminal, or change the order in which it is read. */
const steering = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

export function printable(text: string): string {
  return text.replaceAll(steering, '?')
}

/** The same of several lines, which stay apart. */
export function printableLines(text: string): string {
  return text.replaceAll(steering, (char) => (char === '\n' || char === '\r' ? char : '?'))
}

/** As JSON for people and programs: what JSON itself would leave as it is stands there escaped, so that nothing is lost. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(steering, (char) => (char === '\n' ? char : escaped(char)))
}

/** Of a character beyond the first plane, both halves. */
function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, at) => `\\u${hex(char.charCodeAt(at))}`).join('')
}

function hex(unit: number): string {
  return unit.toString(16).padStart(4, '0')
}
