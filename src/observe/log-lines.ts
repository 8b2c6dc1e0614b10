/** How a line is written: as JSON, or as text for people. Safe to read whatever the values are. */
import type { LogFields, LogLevel } from '../base/log.ts'
import { accessMessage } from './access-log.ts'
import { accessText } from './access-text.ts'
import type { Paint } from './paint.ts'
import { cut, jsonValue, printable } from './safe-text.ts'

export interface Line {
  /** Unix. */
  readonly timeMs: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** Of JSON, up to the fields of the line. */
function jsonHead({ timeMs, level, message }: Omit<Line, 'fields'>): string {
  return `{"time":"${isoTime(timeMs)}","level":"${level}","msg":${jsonValue(message)}`
}

export function jsonLine(line: Line): string {
  let text = jsonHead(line)
  for (const [name, value] of Object.entries(line.fields)) {
    if (value !== undefined && !headNames.has(name)) text += `,${jsonValue(name)}:${jsonValue(value)}`
  }
  return `${text}}\n`
}

/** The same of fields that are JSON already: `,"name":value` of each. */
export function jsonLineOf(line: Omit<Line, 'fields'>, fieldsJson: string): string {
  return `${jsonHead(line)}${fieldsJson}}\n`
}

const headNames: ReadonlySet<string> = new Set(['time', 'level', 'msg'])

/** Up to the seconds, of the last line: most lines follow one of the same second. */
let second = { startsMs: Number.NaN, text: '' }

function isoTime(timeMs: number): string {
  const ms = timeMs - second.startsMs
  if (ms >= 0 && ms < 1_000) return `${second.text}${String(Math.trunc(ms)).padStart(3, '0')}Z`
  const text = new Date(timeMs).toISOString()
  second = { startsMs: Math.floor(timeMs / 1_000) * 1_000, text: text.slice(0, -'000Z'.length) }
  return text
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
