/** How a line is written: as JSON, or as text for people. Safe to read whatever the values are. */
import type { LogFields, LogLevel } from '../base/log.ts'
import { accessMessage } from './access-log.ts'
import { accessText } from './access-text.ts'
import type { Paint } from './paint.ts'

export interface Line {
  /** Unix. */
  readonly timeMs: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** A value longer than this is cut: nobody reads on, and a client may not fill the disk through its own request. */
const valueBytesMax = 1_024

export function jsonLine({ timeMs, level, message, fields }: Line): string {
  const entry: Record<string, unknown> = { time: new Date(timeMs).toISOString(), level, msg: cut(message) }
  for (const [name, value] of Object.entries(fields)) {
    if (!(name in entry)) entry[name] = typeof value === 'string' ? cut(value) : value
  }
  return `${printable(JSON.stringify(entry))}\n`
}

/** `12:03:04.567Z warn  Host is down  host=studio problem="connection refused"` */
export function textLine({ timeMs, level, message, fields }: Line, paint: Paint): string {
  const time = new Date(timeMs).toISOString().slice('2026-01-01T'.length)
  const said = message === accessMessage ? accessText(fields, { shown: textValue, paint }) : saidText(message, fields)
  return `${printable(`${paint('dim', time)} ${paint(levelColours[level], level.padEnd(5))} ${said}`)}\n`
}

const levelColours = { debug: 'dim', info: 'none', warn: 'yellow', error: 'red' } as const

function saidText(message: string, fields: LogFields): string {
  // A message is quoted only where it holds something that JSON would escape.
  const quoted = JSON.stringify(cut(message))
  let line = quoted.includes('\\') ? quoted : quoted.slice(1, -1)
  let gap = '  '
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue
    line += `${gap}${name}=${textValue(value)}`
    gap = ' '
  }
  return line
}

function textValue(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value)
  const short = cut(value)
  return /^[^\s"=\\\p{C}]+$/u.test(short) ? short : JSON.stringify(short)
}

const encoded = new Uint8Array(valueBytesMax)

function cut(text: string): string {
  // UTF-8 needs at most three bytes for a UTF-16 unit.
  if (text.length * 3 <= valueBytesMax) return text
  // Stops before the first character that does not fit, so none is split.
  const { read } = new TextEncoder().encodeInto(text, encoded)
  return read < text.length ? `${text.slice(0, read)}…` : text
}

/**
 * What JSON leaves as it is and a terminal, a pager or a JavaScript-based log reader would not: DEL and the C1 controls
 * (U+009B begins an ANSI sequence), the line and paragraph separators, and marks that turn the order of the text around.
 */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

function printable(line: string): string {
  return line.replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
