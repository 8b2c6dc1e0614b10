/** Processes that a benchmark starts: each on its core, and none left behind however the benchmark ends. */
import { fileURLToPath } from 'node:url'
import { type ProcessOptions, RunningProcess } from '../kit/child-process.ts'
import { endingWithParent, onCores } from './machine.ts'

const running = new Set<RunningProcess>()

/** `node` with these arguments on the cores of `list`, or on any where it is null; for `await using`. */
export function startNode(list: string | null, args: readonly string[], options: ProcessOptions): RunningProcess {
  return startProgram(list, [process.execPath, ...args], options)
}

export function startProgram(
  list: string | null,
  [program, ...args]: readonly [string, ...string[]],
  options: ProcessOptions,
): RunningProcess {
  // Whoever kills the benchmark leaves it no time to end what it started.
  const child = new RunningProcess(...endingWithParent(...onCores(list, program, args)), options)
  running.add(child)
  const forget = () => running.delete(child)
  child.ended.then(forget, forget)
  return child
}

/** One of the programs beside this file, which answers messages. */
export function startHelper(list: string | null, entry: string, nodeArgs: readonly string[] = []): RunningProcess {
  const path = fileURLToPath(new URL(entry, import.meta.url))
  return startNode(list, [...nodeArgs, path], { cwd: process.cwd(), channel: true })
}

/** Rejects at once, with what it wrote, where the helper ended instead. */
export function answerOf<Answer>(helper: RunningProcess, message: object, ms?: number): Promise<Answer> {
  const ended = helper.ended.then(({ code, signal }) => {
    throw new Error(`a process of the benchmark ended (${code ?? signal}): ${helper.err}`)
  })
  return Promise.race([helper.ask<Answer>(message, ms), ended])
}

/** For a benchmark that ends before they do. */
export function killAll(): void {
  for (const child of running) child.signal('SIGKILL')
}
