/** What the operator reads about a configuration: why it is refused, or what to know about a good one. */
import { formatInFile, formatProblem, type Problem } from '../config/problem.ts'
import type { Io } from './command.ts'

/** Up to so many stand by themselves; of more, people want the file named once and their number. */
const singleMax = 3

/** Writes every problem on a line of its own and returns the exit code. */
export function refuse(problems: readonly Problem[], io: Io): number {
  if (problems.length <= singleMax) {
    for (const problem of problems) io.err(`lmx-gateway: ${formatProblem(problem)}`)
    return 1
  }
  let heading: string | null = null
  for (const problem of problems) {
    if (problem.line === null || problem.source === null) {
      io.err(`lmx-gateway: ${formatProblem(problem)}`)
      continue
    }
    if (problem.source !== heading) io.err(`lmx-gateway: in ${problem.source}:`)
    heading = problem.source
    io.err(`  ${formatInFile(problem)}`)
  }
  io.err(`lmx-gateway: ${problems.length} problems`)
  return 1
}

/** On stdout with the rest of what people read: nothing is wrong, and the log belongs to collectors. */
export function tell(notes: readonly string[], io: Io): void {
  for (const note of notes) io.out(`Note: ${note}.`)
}
