/** Figures counted in classes, each up to an edge of its own. */

/** The first class whose edge is not below the value; past the last edge there is one more. */
export function classOf(value: number, edges: readonly number[]): number {
  let from = 0
  let to = edges.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (value <= (edges[middle] ?? 0)) to = middle
    else from = middle + 1
  }
  return from
}
