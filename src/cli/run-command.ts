/** Runs one command with what stands behind its name. */
import { version } from '../version.ts'
import { readArguments } from './arguments.ts'
import type { Command, Io } from './command.ts'

/** `name` is null where the command was not named but meant. Resolves with the exit code. */
export async function runCommand(
  command: Command,
  name: string | null,
  args: readonly string[],
  io: Io,
): Promise<number> {
  if (args.includes('--version') || args.includes('-v')) {
    io.out(version())
    return 0
  }
  const read = readArguments(args, command.flags, command.operand ?? null)
  if (read.kind === 'good') return command.run(read.values, io, read.operand)
  io.err(`lmx-gateway: ${read.message} (lmx-gateway ${name === null ? '' : `${name} `}--help lists what there is)`)
  return 1
}

export function wantsHelp(args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h')
}
