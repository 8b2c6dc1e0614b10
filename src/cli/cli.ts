/** The command line: finds the command, gives help, and turns what went wrong into one sentence. */
import { suggestion } from '../config/nearest.ts'
import { readArguments } from './arguments.ts'
import type { Command, Io } from './command.ts'
import { checkConfig } from './commands/check-config.ts'
import { configSchema } from './commands/config-schema.ts'
import { serve } from './commands/serve.ts'
import { commandHelp, mainHelp } from './help.ts'
import { version } from './version.ts'

/** The first is the one that runs when none is named. */
export const commands: readonly [Command, ...Command[]] = [serve, checkConfig, configSchema]

/** Resolves with the exit code: 0 when all went well, 1 when not. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [first = ''] = args
  if (first === '' || first.startsWith('-')) return runCommand(commands[0], null, args, io)
  if (first === 'help') return help(args[1] ?? null, io)
  const command = commands.find((candidate) => candidate.name === first)
  return command === undefined ? unknownCommand(first, io) : runCommand(command, first, args.slice(1), io)
}

/** `name` is null where the command was not named but meant. */
async function runCommand(command: Command, name: string | null, args: readonly string[], io: Io): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) return help(name, io)
  if (args.includes('--version') || args.includes('-v')) {
    io.out(version())
    return 0
  }
  const read = readArguments(args, command.flags)
  if (read.kind === 'good') return command.run(read.values, io)
  io.err(`lmx-gateway: ${read.message} (lmx-gateway ${name === null ? '' : `${name} `}--help lists what there is)`)
  return 1
}

function help(name: string | null, io: Io): number {
  const command = commands.find((candidate) => candidate.name === name)
  if (name !== null && command === undefined) return unknownCommand(name, io)
  io.out(command === undefined ? mainHelp(commands) : commandHelp(command))
  return 0
}

function unknownCommand(name: string, io: Io): number {
  const names = commands.map((command) => command.name)
  const tail = suggestion(name, names) || `; there are ${names.join(', ')}`
  io.err(`lmx-gateway: unknown command "${name}"${tail}`)
  return 1
}
