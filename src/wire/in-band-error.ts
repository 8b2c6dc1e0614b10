/**
 * The error that Opta LMX writes into the text of a stream. It has no other way: its status and role frame go out before
 * it has a slot, and any later failure becomes one last piece of text, then an ordinary finish and `[DONE]`.
 */
import { frameJson } from './dialect.ts'
import { property } from './json-value.ts'

/** As escaped JSON text; no other frame is looked at more closely. */
const opening = Buffer.from('\\n\\n[Error: ')

/** What LMX is known to say there; a model may write the same form, but hardly these words as its very last piece. */
const knownWords =
  /^(?:Server is busy\b|Stream inference timed out after |Stream inference failed: |"Model '[^']*' is not loaded"$)/

export interface InBandError {
  readonly message: string
  /** The choice whose text it is. */
  readonly choice: unknown
}

/** What the frame's whole text says where it is such an error, else null. It is one only if the next frame ends the same choice. */
export function inBandError(frame: Buffer): InBandError | null {
  if (!frame.includes(opening)) return null
  const choices = property(frameJson(frame), 'choices')
  if (!Array.isArray(choices) || choices.length !== 1) return null
  const choice: unknown = choices[0]
  const text = property(property(choice, 'delta'), 'content') ?? property(choice, 'text')
  const message = typeof text === 'string' ? /^\n\n\[Error: (.*)\]$/s.exec(text)?.[1] : undefined
  if (message === undefined || !knownWords.test(message)) return null
  return { message, choice: property(choice, 'index') ?? 0 }
}
