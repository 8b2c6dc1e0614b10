/** Finds what somebody probably meant to write. */

/** The candidate that is closest to `word`, or null when none is close enough to be worth suggesting. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  // Two letters changed places count as two: "prot" is "port", but "cat" is not.
  let bestDistance = Math.max(word.length < 4 ? 1 : 2, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `; did you mean "port"?`, or nothing: the tail of a sentence that refuses a word. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const found = nearest(word, candidates)
  return found === null ? '' : `; did you mean "${found}"?`
}

/** Levenshtein's distance, by the row. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
