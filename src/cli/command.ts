/** What a command of the command line is. */
import type { FlagValues } from '../config/settings.ts'

export interface Io {
  /** Writes a line for people or programs that asked for it. */
  out(text: string): void
  /** Writes a line about what went wrong, or for people beside what programs take from `out`. */
  err(text: string): void
  /** A person reads `out` on a terminal: it is no file, pipe or log. */
  readonly isTerminal?: boolean
  /** Resolves when all that was written by `out` has been taken. */
  taken?(): Promise<void>
}

export interface Flag {
  readonly name: string
  /** What stands for its value in --help; empty for a switch. */
  readonly value: string
  /** What it has where its value is left out; absent where one must be there. */
  readonly bare?: string
  readonly help: string
}

export interface Command {
  /** One word, or two where several commands are about one thing. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly flags: readonly Flag[]
  /** What must be given without a flag, as --help calls it; absent where nothing may. */
  readonly operand?: string
  /** More for this command's own help. */
  readonly notes: readonly string[]
  /** Resolves with the exit code. `operand` is empty where the command has none. */
  run(flags: FlagValues, io: Io, operand: string): Promise<number>
}
