/** Finds a field that a JSON body names twice: of two readers each may take another one of them. */
import { MemberCursor, skipSpace, stringEnd } from '../../wire/json-members.ts'

const LIST_OPEN = 91
const OBJECT_OPEN = 123
const QUOTE = 34

/** The path to the first one, or null; of bytes that are JSON, nested no deeper than a cursor goes. */
export function doubledField(bytes: Buffer): readonly string[] | null {
  const at = skipSpace(bytes, 0)
  return bytes[at] === OBJECT_OPEN ? inObject(bytes, new MemberCursor(bytes, at)) : null
}

function inObject(bytes: Buffer, cursor: MemberCursor): readonly string[] | null {
  const names = new Set<string>()
  while (cursor.next()) {
    const name = String(JSON.parse(bytes.toString('utf8', cursor.keyStart, cursor.keyEnd)))
    if (names.has(name)) return [name]
    names.add(name)
    const inside = inValue(bytes, cursor.valueStart, cursor.valueEnd)
    if (inside !== null) return [name, ...inside]
  }
  return null
}

function inValue(bytes: Buffer, start: number, end: number): readonly string[] | null {
  if (bytes[start] !== OBJECT_OPEN && bytes[start] !== LIST_OPEN) return null
  for (let at = start; at < end; ) {
    const byte = bytes[at]
    if (byte === OBJECT_OPEN) {
      const cursor = new MemberCursor(bytes, at)
      const found = inObject(bytes, cursor)
      if (found !== null) return found
      at = cursor.end
    } else at = byte === QUOTE ? stringEnd(bytes, at) : at + 1
  }
  return null
}
