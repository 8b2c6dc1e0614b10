/** Looks at the event loop from within: what happens turn by turn, and how long turns are. */

import { setImmediate as nextTurn } from 'node:timers/promises'

/** Calls back once in every turn, until the returned function is called. */
export function everyTurn(callback: () => void): () => void {
  let next = setImmediate(look)
  function look(): void {
    callback()
    next = setImmediate(look)
  }
  return () => clearImmediate(next)
}

/** A `now` that moves on by as much each time it is looked at. */
export function steppingClock(stepMs: number): () => number {
  let nowMs = 1_000
  return () => {
    nowMs += stepMs
    return nowMs
  }
}

/**
 * The turns while `work` is done, the longest first, in ms of the thread's own processor time: what other programs of the
 * machine took meanwhile is no turn of ours. The garbage collector's part that held the thread is in it.
 */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number[]> {
  const turns: number[] = []
  let before = process.threadCpuUsage()
  const stop = everyTurn(() => {
    const now = process.threadCpuUsage()
    turns.push((now.user - before.user + now.system - before.system) / 1_000)
    before = now
  })
  await work()
  // The turn in which it ended is one as well.
  await nextTurn()
  stop()
  return turns.toSorted((a, b) => b - a)
}
