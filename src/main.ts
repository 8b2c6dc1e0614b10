/** The process: runs the command line and ends with its exit code. */
import { runCli } from './cli/cli.ts'
import { failureLine } from './cli/failure.ts'

// A reader of our output that went away (`… | head`) is no reason to stop serving.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

const io = {
  out: (text: string) => void process.stdout.write(`${text}\n`),
  err: (text: string) => void process.stderr.write(`${text}\n`),
  isTerminal: process.stdout.isTTY,
  // A pipe takes some 64 kB at once; its reader may be slow, and gone, which counts as done.
  taken: () => new Promise<void>((resolve) => void process.stdout.write('', () => resolve())),
}

runCli(process.argv.slice(2), io).then(end, (error: unknown) => {
  io.err(`lmx-gateway: ${failureLine(error)}`)
  end(1)
})

function end(code: number): void {
  // Whatever a library left open must not keep a gateway alive that has stopped.
  // oxlint-disable-next-line no-restricted-properties -- the one regular end of the process
  process.exit(code)
}
