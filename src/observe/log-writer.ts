/** Writes the log: one line per message, JSON or text, safe to read whatever the values are, never waiting for its reader. */
import type { Clock } from '../base/clock.ts'
import type { Log, LogFields, LogLevel } from '../base/log.ts'
import { accessMessage, isOfDoor, refusedAlike } from './access-log.ts'
import type { LogOptions } from './options.ts'
import { RepeatedLines } from './repeated-lines.ts'

/** The part of a Node stream that is needed; `process.stdout` is one. */
export interface LogSink {
  readonly isTTY?: boolean
  /** False asks to write no more until `drain`. */
  write(text: string): boolean
  on(event: 'drain' | 'error', listener: () => void): unknown
}

export interface WrittenLog extends Log {
  /** Lines that were never written, in all. */
  dropped(): number
  /** Tells of repeated lines now, before the process ends. */
  flush(): void
}

/** A value longer than this is cut: nobody reads on, and a client may not fill the disk through its own request. */
const valueBytesMax = 1_024
/** What waits for a reader that does not keep up, for instance a paused terminal or a full pipe; then lines are dropped. */
const backlogCharsMax = 1_048_576

/** Requests without a good key of each second that have a line of their own; more are counted. */
const refusedLinesFree = 20

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export function createLog(
  options: Pick<LogOptions, 'format' | 'level'>,
  out: LogSink,
  clock: Pick<Clock, 'wallMs' | 'after'>,
): WrittenLog {
  const asText = options.format === 'text' || (options.format === 'auto' && out.isTTY === true)
  const format = asText ? textLine : jsonLine
  const outlet = new Outlet(out, (dropped) => format(clock.wallMs(), 'warn', 'Log lines were dropped', { dropped }))
  const write: Log = (level, message, fields = {}) => outlet.write(format(clock.wallMs(), level, message, fields))
  const repeated = new RepeatedLines(clock, write)
  const refused = new RepeatedLines(clock, write, { freeLines: refusedLinesFree, likeness: refusedAlike })
  const writes = (level: LogLevel): boolean => rank[level] >= rank[options.level]
  const log: Log = (level, message, fields = {}) => {
    if (!writes(level)) return
    // Each request has its line, however many failed, if only it came in.
    if (isOfDoor(message, fields)) refused.write(level, message, fields)
    else if (rank[level] < rank.warn || message === accessMessage) write(level, message, fields)
    else repeated.write(level, message, fields)
  }
  const flush = (): void => {
    refused.flush()
    repeated.flush()
  }
  return Object.assign(log, { writes, dropped: () => outlet.dropped, flush })
}

/** Hands lines to the sink while it takes them, keeps a bounded backlog while it does not, and counts the rest. */
class Outlet {
  dropped = 0
  readonly #sink: LogSink
  readonly #notice: (dropped: number) => string
  #backlog: string[] = []
  #backlogChars = 0
  #droppedBefore = 0
  #state: 'open' | 'full' | 'broken' = 'open'

  constructor(sink: LogSink, notice: (dropped: number) => string) {
    this.#sink = sink
    this.#notice = notice
    sink.on('drain', () => this.#drain())
    // A log without a reader (EPIPE) is no reason to stop serving.
    sink.on('error', () => this.#break())
  }

  write(line: string): void {
    if (this.#state === 'open') this.#pass(line)
    else if (this.#state === 'full' && this.#backlogChars + line.length <= backlogCharsMax) this.#keep(line)
    else this.dropped += 1
  }

  #pass(line: string): void {
    if (!this.#sink.write(line)) this.#state = 'full'
  }

  #keep(line: string): void {
    this.#backlog.push(line)
    this.#backlogChars += line.length
  }

  #drain(): void {
    if (this.#state !== 'full') return
    this.#state = 'open'
    const lines = this.#backlog
    if (this.dropped > this.#droppedBefore) lines.push(this.#notice(this.dropped - this.#droppedBefore))
    this.#droppedBefore = this.dropped
    this.#backlog = []
    this.#backlogChars = 0
    if (lines.length > 0) this.#pass(lines.join(''))
  }

  #break(): void {
    this.#state = 'broken'
    this.dropped += this.#backlog.length
    this.#backlog = []
    this.#backlogChars = 0
  }
}

function jsonLine(timeMs: number, level: LogLevel, message: string, fields: LogFields): string {
  const entry: Record<string, unknown> = { time: new Date(timeMs).toISOString(), level, msg: cut(message) }
  for (const [name, value] of Object.entries(fields)) {
    if (!(name in entry)) entry[name] = typeof value === 'string' ? cut(value) : value
  }
  return `${printable(JSON.stringify(entry))}\n`
}

/** `12:03:04.567Z warn  Host is down  host=studio problem="connection refused"` */
function textLine(timeMs: number, level: LogLevel, message: string, fields: LogFields): string {
  const time = new Date(timeMs).toISOString().slice('2026-01-01T'.length)
  // A message is quoted only where it holds something that JSON would escape.
  const quoted = JSON.stringify(cut(message))
  const said = quoted.includes('\\') ? quoted : quoted.slice(1, -1)
  let line = `${time} ${level.padEnd(5)} ${said}`
  let gap = '  '
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue
    line += `${gap}${name}=${textValue(value)}`
    gap = ' '
  }
  return `${printable(line)}\n`
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
