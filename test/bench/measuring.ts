/** How every program that measures begins and ends: on a quiet machine, in a folder that is removed, with nothing left behind. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { killAll } from './children.ts'
import { type Cores, coresOf, lookAtMachine, type MachineLoad, reasonsNotToMeasure } from './machine.ts'

export interface Place {
  readonly folder: string
  readonly cores: Cores
  readonly atStart: MachineLoad
  /** Against measuring here; none on a quiet machine. */
  readonly reasons: readonly string[]
}

/** Throws one sentence where the machine is busy, unless `force`. */
export async function measuring(force: boolean, work: (place: Place) => Promise<void>): Promise<void> {
  // Who measures in any case need not look for long.
  const atStart = await lookAtMachine(force ? 500 : 2_000)
  const reasons = reasonsNotToMeasure(atStart)
  if (reasons.length > 0 && !force) {
    throw new Error(
      `this machine is busy, so nothing was measured (--force does it all the same): ${reasons.join('; ')}`,
    )
  }
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-bench-'))
  // What parts and processes put aside goes when the folder does.
  process.env['TMPDIR'] = folder
  process.on('exit', () => leaveNothing(folder))
  // Heard to the end: who runs it in a group sends a signal twice, and the second one must not cut off the first.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
  const cores = coresOf(availableParallelism())
  keepOff(cores)
  try {
    await work({ folder, cores, atStart, reasons })
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** For people, on stderr: the error and what caused it. */
export function sayError(name: string, error: unknown): void {
  for (let told = error; told !== undefined; told = told instanceof Error ? told.cause : undefined) {
    process.stderr.write(`${name}: ${told instanceof Error ? told.message : inspect(told)}\n`)
  }
}

/** This process reads what gateways log, which must not take time of their core. */
function keepOff({ load }: Cores): void {
  if (load !== null) execFileSync('taskset', ['-a', '-c', '-p', load, String(process.pid)], { stdio: 'ignore' })
}

/** Also after a signal, or an error that nobody caught. */
function leaveNothing(folder: string): void {
  killAll()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}
