/** What a command of the command line is. */
import type { FlagValues } from '../config/settings.ts'

export interface Io {
  /** Writes a line for people or programs that asked for it. */
  out(text: string): void
  /** Writes a line about what went wrong. */
  err(text: string): void
}

export interface Flag {
  readonly name: string
  /** What stands for its value in --help; empty for a switch. */
  readonly value: string
  readonly help: string
}

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly flags: readonly Flag[]
  /** More for this command's own help. */
  readonly notes: readonly string[]
  /** Resolves with the exit code. */
  run(flags: FlagValues, io: Io): Promise<number>
}
