/** Words that came from elsewhere, made fit for a terminal. */

/** Less what would steer the terminal, or change the order in which it is read. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')
}
