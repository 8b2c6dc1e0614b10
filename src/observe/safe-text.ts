/** Values as a log may have them: short, and without characters that steer a terminal or a reader. */
import type { LogFields } from '../base/log.ts'

/** A value longer than this is cut: nobody reads on, and a client may not fill the disk through its own request. */
const valueBytesMax = 1_024
/** UTF-8 needs at most three bytes for a UTF-16 unit. */
const valueCharsFree = Math.floor(valueBytesMax / 3)

/** Stands in JSON as it is. */
const plainText = /^[ !#-[\]-~]*$/

/** As JSON.stringify has it, safe to read; nearly every text of a line is plain, so that is looked at first. */
export function jsonValue(value: Exclude<LogFields[string], undefined>): string {
  if (typeof value === 'string') {
    if (value.length <= valueCharsFree && plainText.test(value)) return `"${value}"`
    return printable(JSON.stringify(cut(value)))
  }
  return typeof value === 'number' && !Number.isFinite(value) ? 'null' : String(value)
}

const encoded = new Uint8Array(valueBytesMax)

export function cut(text: string): string {
  if (text.length <= valueCharsFree) return text
  // Stops before the first character that does not fit, so none is split.
  const { read } = new TextEncoder().encodeInto(text, encoded)
  return read < text.length ? `${text.slice(0, read)}…` : text
}

/**
 * What JSON leaves as it is and a terminal, a pager or a JavaScript-based log reader would not: DEL and the C1 controls
 * (U+009B begins an ANSI sequence), the line and paragraph separators, and marks that turn the order of the text around.
 */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

export function printable(line: string): string {
  return line.replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
