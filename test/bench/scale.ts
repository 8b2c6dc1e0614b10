/** What a shorter form of the benchmark has less of, and what it has not. */

/** As long as in the full form where figures are wanted: what is cold or not at rest is measured wrong, however often. */
export function unhurried(scale: number): number {
  return Math.min(1, 4 * scale)
}

/** Of parts whose figures are much the same each time, and which take long. */
export function fewRounds(rounds: number, most: number): number {
  return Math.min(most, Math.ceil(rounds / 3))
}
