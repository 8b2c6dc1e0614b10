/** One line about an error that nobody expected. */

/**
 * Where it happened and what sort it is. The message only of errors that carry a code, as Node's do: others may quote
 * what they were given (`JSON.parse` does), and that may be somebody's prompt.
 */
export function failureLine(error: unknown): string {
  if (!(error instanceof Error)) return 'an error of unknown kind'
  const what = 'code' in error ? `${error.name} ${String(error.code)}: ${error.message}` : error.name
  const frames = (error.stack ?? '')
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .slice(0, 3)
    .map((line) => line.trim())
  return [what, ...frames].join(' ').replaceAll(/\s+/g, ' ')
}
