/** How much of a body is a prompt: some hosts count its characters, of which one may be written in up to six bytes. */
import type { Span } from './json-members.ts'
import { type PromptSpans, promptKeys } from './prompt-parts.ts'

export interface PromptExtent {
  /** Of the values that make the prompt. */
  readonly bytes: number
  readonly characters: number
}

const BACKSLASH = 92
const LOWER_U = 117

export function promptExtent(body: Buffer, spans: PromptSpans): PromptExtent {
  let [bytes, characters] = [0, 0]
  for (const key of promptKeys) {
    const span = spans[key]
    if (span === undefined) continue
    bytes += span.end - span.start
    characters += charactersIn(body, span)
  }
  return { bytes, characters }
}

/** As Python counts them, but for two where it has one for a pair of surrogates. */
function charactersIn(body: Buffer, { start, end }: Span): number {
  let characters = 0
  for (let at = start; at < end; at++) {
    const byte = body[at] ?? 0
    // What goes on with a character of several bytes.
    if ((byte & 0xc0) === 0x80) continue
    characters++
    if (byte === BACKSLASH) at += body[at + 1] === LOWER_U ? 5 : 1
  }
  return characters
}
