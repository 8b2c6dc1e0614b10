/** Reads the parameters of a header such as Content-Disposition, so strictly that no other reader finds others. */

export interface Parameterised {
  /** What stands before the parameters, in small letters. */
  readonly value: string
  /** By name, in small letters; a name that had small and capital letters, too. */
  readonly parameters: ReadonlyMap<string, Parameter>
}

export interface Parameter {
  readonly text: string
  /** False when it was written with escapes, which not every reader undoes. */
  readonly plain: boolean
}

/** RFC 9110 5.6.2 */
const token = String.raw`[!#$%&'*+.^_\x60|~\w-]+`
const leading = new RegExp(String.raw`[ \t]*(${token}(?:/${token})?)[ \t]*`, 'y')
/** RFC 2183: a name, and a word or a quoted string. Words may hold more than a token; clients write boundaries so. */
const parameter = new RegExp(String.raw`;[ \t]*(?:(${token})=(?:"((?:[^"\\]|\\.)*)"|([^\s;"\\]+)))?[ \t]*`, 'sy')

/** Null for a header that breaks the grammar, or has a parameter twice. */
export function headerParameters(header: string): Parameterised | null {
  leading.lastIndex = 0
  const value = leading.exec(header)?.[1]
  if (value === undefined) return null
  const parameters = new Map<string, Parameter>()
  let at = leading.lastIndex
  while (at < header.length) {
    parameter.lastIndex = at
    const match = parameter.exec(header)
    if (match === null) return null
    at = parameter.lastIndex
    const [, name, quoted, word = ''] = match
    // RFC 9110 5.6.6 lets a semicolon stand alone.
    if (name === undefined) continue
    if (parameters.has(name.toLowerCase()) || endsElsewhere(quoted ?? '')) return null
    parameters.set(name.toLowerCase(), quoted === undefined ? { text: word, plain: true } : unquoted(quoted))
  }
  return { value: value.toLowerCase(), parameters }
}

function unquoted(quoted: string): Parameter {
  const text = quoted.replace(/\\(.)/gs, '$1')
  return { text, plain: text === quoted }
}

/** To a reader that knows no escapes the text ends at its first quote, and what follows a semicolon is a parameter. */
function endsElsewhere(quoted: string): boolean {
  const quote = quoted.indexOf('"')
  return quote !== -1 && quoted.includes(';', quote)
}
