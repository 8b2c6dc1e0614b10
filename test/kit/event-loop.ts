/** Looks at the event loop from within: what happens turn by turn, and how long turns are. */

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

/** The turns while `work` is done, the longest first, in ms. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number[]> {
  const turns: number[] = []
  let beganMs = performance.now()
  const stop = everyTurn(() => {
    const nowMs = performance.now()
    turns.push(nowMs - beganMs)
    beganMs = nowMs
  })
  await work()
  stop()
  return turns.toSorted((a, b) => b - a)
}
