/** How a command refuses a configuration. */
import { formatProblem, type Problem } from '../config/problem.ts'
import type { Io } from './command.ts'

/** Writes every problem on a line of its own and returns the exit code. */
export function refuse(problems: readonly Problem[], io: Io): number {
  for (const problem of problems) io.err(`lmx-gateway: ${formatProblem(problem)}`)
  return 1
}
