/** Finds what a body of /v1/responses refers to, or leaves behind, of what its host keeps, stored responses aside. */
import { keyMatcher } from './json-key.ts'
import { MemberCursor, type Span, skipSpace, stringEnd } from './json-members.ts'

type KeptReference = 'conversation' | 'input' | 'background'

const QUOTE = 34
const LIST_OPEN = 91
const LOWER_F = 102
const LOWER_N = 110
const OBJECT_OPEN = 123

const reference = 'item_reference'
/** Each of its characters may be written as `\u0065`. */
const referenceBytesMax = 6 * reference.length + 2

const matchKey = keyMatcher(['background', 'conversation', 'input'])
const matchItemKey = keyMatcher(['type', 'role', 'id'])

/** The field that refers to something, however it is written and how often; of a body that was read already. */
export function keptReference(bytes: Buffer): KeptReference | null {
  const cursor = new MemberCursor(bytes, skipSpace(bytes, 0))
  while (cursor.next()) {
    const word = matchKey(bytes, cursor.keyStart, cursor.keyEnd)?.word
    const first = bytes[cursor.valueStart]
    if (word === 'conversation' && first !== LOWER_N) return word
    if (word === 'background' && first !== LOWER_N && first !== LOWER_F) return word
    if (word === 'input' && first === LIST_OPEN && refersToItem(bytes, valueOf(cursor))) return word
  }
  return null
}

function refersToItem(bytes: Buffer, { start, end }: Span): boolean {
  for (let at = start + 1; at < end; ) {
    const byte = bytes[at]
    if (byte === QUOTE) at = stringEnd(bytes, at)
    else if (byte === OBJECT_OPEN) {
      const cursor = new MemberCursor(bytes, at)
      if (isReference(bytes, cursor)) return true
      at = cursor.end
    } else at += 1
  }
  return false
}

/** By its type, or, as the API has it, by an id with neither type nor role beside it. */
function isReference(bytes: Buffer, cursor: MemberCursor): boolean {
  let hasId = false
  let isOther = false
  while (cursor.next()) {
    const match = matchItemKey(bytes, cursor.keyStart, cursor.keyEnd)
    if (match?.word === 'id') hasId = true
    else if (match !== null && bytes[cursor.valueStart] === QUOTE) {
      if (match.word === 'type' && textOf(bytes, valueOf(cursor)) === reference) {
        // The rest of the item is of no matter.
        return true
      }
      isOther ||= match.exact
    }
  }
  return hasId && !isOther
}

function textOf(bytes: Buffer, { start, end }: Span): string | null {
  if (end - start > referenceBytesMax) return null
  try {
    return String(JSON.parse(bytes.toString('utf8', start, end)))
  } catch {
    return null
  }
}

function valueOf({ valueStart, valueEnd }: MemberCursor): Span {
  return { start: valueStart, end: valueEnd }
}
