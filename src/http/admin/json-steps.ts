/** A JSON object with long lists, written item by item: thousands of them at once would hold up every stream. */
import type { Steps } from '../../base/steps.ts'

/** Joined and encoded together. */
const pieceCharsMax = 65_536

/** The bytes of `{ ...head, ...lists }`, in pieces. */
export function* jsonInSteps(
  head: Readonly<Record<string, unknown>>,
  lists: Readonly<Record<string, Iterable<unknown>>>,
): Steps<readonly Buffer[]> {
  const pieces: Buffer[] = []
  let text = '{'
  const add = (more: string): void => {
    text += more
    if (text.length < pieceCharsMax) return
    pieces.push(Buffer.from(text))
    text = ''
  }
  for (const [name, value] of Object.entries(head)) add(`${JSON.stringify(name)}:${JSON.stringify(value)},`)
  for (const [at, [name, items]] of Object.entries(lists).entries()) {
    add(`${at === 0 ? '' : ','}${JSON.stringify(name)}:[`)
    let separator = ''
    for (const item of items) {
      add(separator + JSON.stringify(item))
      separator = ','
      yield
    }
    add(']')
  }
  add('}')
  pieces.push(Buffer.from(text))
  return pieces
}
