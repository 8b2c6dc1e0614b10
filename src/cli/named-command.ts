/** Finds the command that is named, gives help, and says what there is where none is found. */
import { suggestion } from '../config/nearest.ts'
import type { Command, Io } from './command.ts'
import { adminTokenCommands } from './commands/admin-token.ts'
import { checkConfig } from './commands/check-config.ts'
import { configSchema } from './commands/config-schema.ts'
import { discover } from './commands/discover.ts'
import { fleetCommands } from './commands/fleet.ts'
import { hostCommands } from './commands/hosts.ts'
import { keyCommands } from './commands/keys.ts'
import { queueCommands } from './commands/queue.ts'
import { requestCommands } from './commands/requests.ts'
import { serve } from './commands/serve.ts'
import { usage } from './commands/usage.ts'
import { why } from './commands/why.ts'
import { commandHelp, groupHelp, mainHelp } from './help.ts'
import { printable } from './printable.ts'
import { runCommand, wantsHelp } from './run-command.ts'

/** The first is the one that runs when none is named. */
export const commands: readonly [Command, ...Command[]] = [
  serve,
  ...keyCommands,
  usage,
  ...queueCommands,
  ...requestCommands,
  why,
  ...fleetCommands,
  ...hostCommands,
  discover,
  ...adminTokenCommands,
  checkConfig,
  configSchema,
]

/** Resolves with the exit code. */
export async function runNamed(args: readonly string[], io: Io): Promise<number> {
  const [first = ''] = args
  if (first === '' || first.startsWith('-')) return help([], io)
  if (first === 'help') return help(args.slice(1), io)
  const words = wordsOf(args)
  const command = commandOf(words)
  if (command !== undefined) {
    if (wantsHelp(args)) return help([command.name], io)
    const code = await runCommand(command, command.name, args.slice(command.name.split(' ').length), io)
    // A long answer is of no use without its end.
    await io.taken?.()
    return code
  }
  if (words.length === 1 && groupOf(first).length > 0) {
    if (wantsHelp(args)) return help([first], io)
    const names = groupOf(first).map((member) => member.name)
    io.err(`lmx-gateway: ${first} alone is no command; there are ${names.join(', ')}`)
    return 1
  }
  return unknownCommand(words, io)
}

/** The first two of the words that stand before any flag. */
function wordsOf(args: readonly string[]): readonly string[] {
  const [first = '', second = ''] = args
  return second === '' || second.startsWith('-') ? [first] : [first, second]
}

function commandOf([first = '', second = '']: readonly string[]): Command | undefined {
  return (
    commands.find((candidate) => candidate.name === `${first} ${second}`) ??
    commands.find((candidate) => candidate.name === first)
  )
}

/** Commands of two words that begin with this one. */
function groupOf(word: string): readonly Command[] {
  return commands.filter((candidate) => candidate.name.startsWith(`${word} `))
}

function help(words: readonly string[], io: Io): number {
  const name = words.join(' ')
  const command = commands.find((candidate) => candidate.name === name)
  const group = groupOf(name)
  if (name === '') io.out(mainHelp(commands))
  else if (command !== undefined) io.out(commandHelp(command))
  else if (group.length > 0) io.out(groupHelp(name, group))
  else return unknownCommand(words, io)
  return 0
}

function unknownCommand(words: readonly string[], io: Io): number {
  const [first = ''] = words
  const members = groupOf(first).map((command) => command.name)
  const name = members.length === 0 ? first : words.join(' ')
  const groups = commands.map((command) => command.name.split(' ')[0] ?? '')
  const names = members.length === 0 ? [...new Set(groups)] : members
  const tail = suggestion(name, names) || `; there are ${names.join(', ')}`
  io.err(`lmx-gateway: unknown command "${printable(name)}"${tail}`)
  return 1
}
