/** Writes the log: one line per message, JSON or text, safe to read whatever the values are, never waiting for its reader. */
import type { Clock } from '../base/clock.ts'
import type { Log, LogFields, LogLevel } from '../base/log.ts'
import { accessMessage, isDoorLine, refusedAlike } from './access-log.ts'
import { jsonLine, jsonLineOf, textLine } from './log-lines.ts'
import type { LogOptions } from './options.ts'
import { coloured, plain } from './paint.ts'
import { RepeatedLines } from './repeated-lines.ts'

/** The part of a Node stream that is needed; `process.stdout` is one. */
export interface LogSink {
  readonly isTTY?: boolean
  /** Of a terminal: whether it has colours and its user wants them (NO_COLOR). */
  hasColors?(): boolean
  /** False asks to write no more until `drain`. */
  write(text: string): boolean
  on(event: 'drain' | 'error', listener: () => void): unknown
}

export interface WrittenLog extends Log {
  /** Lines that were never written, in all. */
  dropped(): number
  /** From now on. */
  setLevel(level: LogLevel): void
  /** Tells of repeated lines now, and writes what is held, before the process ends. */
  flush(): void
}

/** What waits for a reader that does not keep up, for instance a paused terminal or a full pipe; then lines are dropped. */
const backlogCharsMax = 1_048_576
/** Of lines of requests that wait to be written together: what a pipe takes at once. */
const heldCharsMax = 65_536
/** How long they wait at the most: a write costs more than the line, and only a process that is killed loses them. */
const heldMsMax = 10

/** Requests without a good key of each second that have a line of their own; more are counted. */
const refusedLinesFree = 20

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export function createLog(
  options: Pick<LogOptions, 'format' | 'level'>,
  out: LogSink,
  clock: Pick<Clock, 'wallMs' | 'after'>,
): WrittenLog {
  const asText = options.format === 'text' || (options.format === 'auto' && out.isTTY === true)
  const paint = out.hasColors?.() === true ? coloured : plain
  const lineOf = (level: LogLevel, message: string, fields: LogFields): string => {
    const line = { timeMs: clock.wallMs(), level, message, fields }
    return asText ? textLine(line, paint) : jsonLine(line)
  }
  const outlet = new Outlet(out, clock, (dropped) => lineOf('warn', 'Log lines were dropped', { dropped }))
  const write: Log = (level, message, fields = {}) => outlet.write(lineOf(level, message, fields))
  const repeated = new RepeatedLines(clock, write)
  const refused = new RepeatedLines(clock, write, { freeLines: refusedLinesFree, likeness: refusedAlike })
  let least = options.level
  const writes = (level: LogLevel): boolean => rank[level] >= rank[least]
  const setLevel = (level: LogLevel): void => {
    least = level
  }
  const log: Log = (level, message, fields = {}) => {
    if (!writes(level)) return
    // Each request has its line, however many failed, if only it came in.
    if (isDoorLine(message, fields)) refused.write(level, message, fields)
    else if (rank[level] < rank.warn || message === accessMessage) write(level, message, fields)
    else repeated.write(level, message, fields)
  }
  const writeJson = (level: LogLevel, message: string, fieldsJson: string): void => {
    if (writes(level)) outlet.hold(jsonLineOf({ timeMs: clock.wallMs(), level, message }, fieldsJson))
  }
  const flush = (): void => {
    refused.flush()
    repeated.flush()
    outlet.flush()
  }
  const written = { writes, setLevel, dropped: () => outlet.dropped, flush }
  return Object.assign(log, asText ? written : { ...written, writeJson })
}

/** Hands lines to the sink while it takes them, keeps a bounded backlog while it does not, and counts the rest. */
class Outlet {
  dropped = 0
  readonly #sink: LogSink
  readonly #clock: Pick<Clock, 'after'>
  readonly #notice: (dropped: number) => string
  /** Lines that are written in a moment; none unless the sink takes them. */
  #held = ''
  #heldLines = 0
  #backlog: string[] = []
  #backlogChars = 0
  #droppedBefore = 0
  #state: 'open' | 'full' | 'broken' = 'open'

  constructor(sink: LogSink, clock: Pick<Clock, 'after'>, notice: (dropped: number) => string) {
    this.#sink = sink
    this.#clock = clock
    this.#notice = notice
    sink.on('drain', () => this.#drain())
    // A log without a reader (EPIPE) is no reason to stop serving.
    sink.on('error', () => this.#break())
  }

  /** For a moment, together with those that come in it. */
  hold(line: string): void {
    if (this.#state !== 'open') return this.write(line)
    if (this.#heldLines === 0) this.#clock.after(heldMsMax, () => this.flush())
    this.#held += line
    this.#heldLines += 1
    if (this.#held.length > heldCharsMax) this.flush()
  }

  flush(): void {
    if (this.#heldLines === 0) return
    const lines = this.#held
    this.#held = ''
    this.#heldLines = 0
    this.#pass(lines)
  }

  /** Behind those that are held. */
  write(line: string): void {
    this.flush()
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
    this.dropped += this.#backlog.length + this.#heldLines
    this.#held = ''
    this.#heldLines = 0
    this.#backlog = []
    this.#backlogChars = 0
  }
}
