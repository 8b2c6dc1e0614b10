/** The command line: the gateway itself, or whichever command is named. */
import type { Io } from './command.ts'
import { serve } from './commands/serve.ts'
import { runCommand, wantsHelp } from './run-command.ts'

/** Resolves with the exit code: 0 when all went well, 1 when not. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [first = ''] = args
  const isMeant = first === '' || first.startsWith('-')
  if (wantsHelp(args) || !(isMeant || first === serve.name)) {
    // A gateway starts without loading all other commands.
    const { runNamed } = await import('./named-command.ts')
    return runNamed(args, io)
  }
  // One that has stopped waits for no reader.
  return isMeant ? runCommand(serve, null, args, io) : runCommand(serve, serve.name, args.slice(1), io)
}
