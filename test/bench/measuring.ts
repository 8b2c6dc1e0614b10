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
  const atStart = await lookAtMachine()
  const reasons = reasonsNotToMeasure(atStart)
  if (reasons.length > 0 && !force) {
    throw new Error(
      `this machine is busy, so nothing was measured (--force does it all the same): ${reasons.join('; ')}`,
    )
  }
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-bench-'))
  // Heard to the end: who runs it in a group sends a signal twice, and the second one must not cut off the first.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => cutOff(folder))
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

function cutOff(folder: string): void {
  killAll()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  process.exit(130)
}
