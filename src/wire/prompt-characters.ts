/** How much of a body is a prompt: some hosts count its characters, of which one may be written in up to six bytes. */
import { isAscii } from 'node:buffer'
import type { Span } from './json-members.ts'
import { type PromptSpans, promptKeys } from './prompt-parts.ts'

export interface PromptExtent {
  /** Of the values that make the prompt. */
  readonly bytes: number
  /** No more than their bytes. Goes through all of them: to be asked only where it decides something. */
  characters(): number
}

const BACKSLASH = 92
const LOWER_U = 117

export function promptExtent(body: Buffer, noticed: PromptSpans): PromptExtent {
  return new SpansExtent(body, noticed)
}

class SpansExtent implements PromptExtent {
  readonly bytes: number
  readonly #body: Buffer
  readonly #noticed: PromptSpans

  constructor(body: Buffer, noticed: PromptSpans) {
    this.#body = body
    this.#noticed = noticed
    let bytes = 0
    // By index, since each request comes by: an iterator would make an object for each key.
    for (let i = 0; i < promptKeys.length; i++) {
      const key = promptKeys[i]
      const span = key && noticed[key]
      if (span !== undefined) bytes += span.end - span.start
    }
    this.bytes = bytes
  }

  characters(): number {
    let characters = 0
    for (const key of promptKeys) {
      const span = this.#noticed[key]
      if (span !== undefined) characters += charactersIn(this.#body, span)
    }
    return characters
  }
}

/** As Python counts them, but for two where it has one for a pair of surrogates. */
function charactersIn(body: Buffer, { start, end }: Span): number {
  const text = body.subarray(start, end)
  let characters = isAscii(text) ? text.length : text.toString('utf8').length
  // An escape is one, however many stand for it.
  for (let at = text.indexOf(BACKSLASH); at !== -1; ) {
    const escapeLength = text[at + 1] === LOWER_U ? 6 : 2
    characters -= escapeLength - 1
    at = text.indexOf(BACKSLASH, at + escapeLength)
  }
  return characters
}
