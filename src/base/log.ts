/** What the rooms may say to the operator; the writer is `observe/log-writer.ts`. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Values only: never prompts, answers, headers or secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Log {
  (level: LogLevel, message: string, fields?: LogFields): void
  /** Whether lines of this level are written: for fields that cost something to make. Without it, all are. */
  readonly writes?: (level: LogLevel) => boolean
  /**
   * A line of which each request has one, where lines are JSON: its fields are given as `,"name":value` of each, safe to
   * read. Those of one turn of the event loop are written together.
   */
  readonly writeJson?: (level: LogLevel, message: string, fieldsJson: string) => void
}
