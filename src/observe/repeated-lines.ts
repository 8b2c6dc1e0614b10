/** Lets a fault that strikes a thousand times a second be told twice: the first line at once, then how many more there were. */
import type { Clock, Timer } from '../base/clock.ts'
import type { LogFields, LogLevel } from '../base/log.ts'

export interface RepeatedLinesOptions {
  /** So many of each second are written whatever they say. */
  readonly freeLines?: number
  /** What makes two lines one; all that they say but the request when absent. */
  readonly likeness?: (fields: LogFields) => unknown
}

type Write = (level: LogLevel, message: string, fields: LogFields) => void

const windowMs = 1_000
/** Different lines of one second; what is beyond them is only counted. */
const linesMax = 45

interface Repeated {
  readonly level: LogLevel
  readonly message: string
  fields: LogFields
  more: number
}

export class RepeatedLines {
  readonly #clock: Pick<Clock, 'after'>
  readonly #write: Write
  readonly #freeLines: number
  readonly #likeness: (fields: LogFields) => unknown
  readonly #lines = new Map<string, Repeated>()
  #free: number
  #leftOut = 0
  #timer: Timer | null = null

  constructor(
    clock: Pick<Clock, 'after'>,
    write: Write,
    { freeLines = 0, likeness = sameFault }: RepeatedLinesOptions = {},
  ) {
    this.#clock = clock
    this.#write = write
    this.#freeLines = freeLines
    this.#likeness = likeness
    this.#free = freeLines
  }

  write(level: LogLevel, message: string, fields: LogFields): void {
    const key = JSON.stringify([level, message, this.#likeness(fields)])
    const line = this.#lines.get(key)
    if (this.#free > 0) {
      this.#free -= 1
      this.#write(level, message, fields)
    } else if (line !== undefined) {
      line.more += 1
      line.fields = fields
    } else if (this.#lines.size >= linesMax) this.#leftOut += 1
    else {
      this.#lines.set(key, { level, message, fields, more: 0 })
      this.#write(level, message, fields)
    }
    this.#timer ??= this.#clock.after(windowMs, () => this.flush())
  }

  /** Tells what was counted so far. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const { level, message, fields, more } of this.#lines.values()) {
      if (more > 0) this.#write(level, message, { ...fields, repeated: more })
    }
    if (this.#leftOut > 0) this.#write('warn', 'Log lines were left out', { leftOut: this.#leftOut })
    this.#lines.clear()
    this.#leftOut = 0
    this.#free = this.#freeLines
  }
}

/** The same fault in each of a thousand requests is one fault; the first and the last are named. */
function sameFault(fields: LogFields): unknown {
  return { ...fields, requestId: undefined }
}
