/** Blanks comments or strings out of TypeScript, so that a rule about code does not trip over prose. Lines are kept. */

/** A slash after one of these begins a regular expression; after anything else it divides. */
const beforeRegExp = /(?:[([{,;:=!&|?+\-*%<>~^]|=>|\b(?:return|case|typeof|in|of|await|yield))\s*$/

type Part = 'code' | 'comment' | 'string' | 'regexp'

export function blankComments(text: string): string {
  return blank(text, 'comment')
}

export function blankStrings(text: string): string {
  return blank(text, 'string')
}

function blank(text: string, unwanted: Part): string {
  let result = ''
  for (const [part, piece] of partsOf(text)) result += part === unwanted ? piece.replaceAll(/[^\n]/g, ' ') : piece
  return result
}

/** Cuts a file into comments, strings, regular expressions and the code between; `${…}` in a template is code. */
function* partsOf(text: string): Generator<[Part, string]> {
  let codeFrom = 0
  let at = 0
  // Depth of braces at which each open template goes on.
  const templates: number[] = []
  let depth = 0
  while (at < text.length) {
    const opened = openedAt(text, at, templates.at(-1) === depth)
    if (opened !== undefined) {
      if (at > codeFrom) yield ['code', text.slice(codeFrom, at)]
      const { part, end, entersTemplate, leavesTemplate } = opened
      if (leavesTemplate) templates.pop()
      if (entersTemplate) templates.push(depth)
      yield [part, text.slice(at, end)]
      at = end
      codeFrom = end
      continue
    }
    if (text[at] === '{') depth += 1
    if (text[at] === '}') depth -= 1
    at += 1
  }
  if (at > codeFrom) yield ['code', text.slice(codeFrom)]
}

interface Opened {
  part: Part
  end: number
  entersTemplate: boolean
  leavesTemplate: boolean
}

const plain = (part: Part, end: number): Opened => ({ part, end, entersTemplate: false, leavesTemplate: false })

function openedAt(text: string, at: number, endsSubstitution: boolean): Opened | undefined {
  const char = text[at]
  if (text.startsWith('//', at)) return plain('comment', endOf(text, '\n', at))
  if (text.startsWith('/*', at)) return plain('comment', endOf(text, '*/', at + 2) + 2)
  if (char === "'" || char === '"') return plain('string', quotedEnd(text, at + 1, char))
  if (char === '`') return template(text, at, false)
  if (char === '}' && endsSubstitution) return template(text, at, true)
  if (char === '/' && beforeRegExp.test(text.slice(Math.max(0, at - 20), at)))
    return plain('regexp', regExpEnd(text, at + 1))
  return undefined
}

/** From a backtick, or from the brace that ends a substitution, to the next substitution or the closing backtick. */
function template(text: string, at: number, goesOn: boolean): Opened {
  for (let end = at + 1; end < text.length; end += 1) {
    if (text[end] === '\\') end += 1
    else if (text[end] === '`') return { part: 'string', end: end + 1, entersTemplate: false, leavesTemplate: goesOn }
    else if (text.startsWith('${', end))
      return { part: 'string', end: end + 2, entersTemplate: !goesOn, leavesTemplate: false }
  }
  return { part: 'string', end: text.length, entersTemplate: false, leavesTemplate: goesOn }
}

function quotedEnd(text: string, from: number, quote: string): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === quote || text[at] === '\n') return at + 1
  }
  return text.length
}

function regExpEnd(text: string, from: number): number {
  let inClass = false
  for (let at = from; at < text.length && text[at] !== '\n'; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '[') inClass = true
    else if (text[at] === ']') inClass = false
    else if (text[at] === '/' && !inClass) return at + 1
  }
  return from
}

function endOf(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from)
  return end < 0 ? text.length : end
}
