/** Programs of Debian's that look at the gateway from outside: found or not, run to their end, with what they said. */
import { spawn, spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'

/** Where all tests must run, a program that is missing is a failure; elsewhere it is told in one line. */
export function missing(program: string, flag: string, debianPackage: string): boolean {
  if (process.env['CI'] === 'true' || spawnSync(program, [flag]).error === undefined) return false
  process.stderr.write(`${program} is not installed (apt-get install ${debianPackage}): its tests are skipped\n`)
  return true
}

export interface ToolEnd {
  readonly code: number | null
  readonly output: string
}

/** Killed after `ms`; its exit code is null then. Aborted by `signal`, it is asked to end as by Ctrl-C. */
export function runTool(
  program: string,
  args: readonly string[],
  { ms, signal, onOutput }: { ms: number; signal?: AbortSignal; onOutput?: (soFar: string) => void },
): Promise<ToolEnd> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: ms, killSignal: 'SIGKILL' })
  signal?.addEventListener('abort', () => child.kill('SIGINT'))
  let output = ''
  const hear = (text: string): void => {
    output += text
    onOutput?.(output)
  }
  child.stdout.setEncoding('utf8').on('data', hear)
  child.stderr.setEncoding('utf8').on('data', hear)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output: stripVTControlCharacters(output) }))
  })
}
