/** What is wrong with a configuration, and where the operator finds it. */

export type ConfigPath = readonly (string | number)[]

/** A fault by its place in the configuration; `key` points at the key itself, `value` at what stands behind it. */
export interface Finding {
  readonly path: ConfigPath
  readonly part: 'key' | 'value'
  readonly message: string
}

export interface Problem {
  /** The file, flag or environment variable; null for a fault of no single place. */
  readonly source: string | null
  readonly line: number | null
  readonly column: number | null
  /** Dotted, such as `hosts[0].url`; empty for a fault of the whole. */
  readonly path: string
  readonly message: string
}

/** `file:line:column path: sentence`, or `--flag: sentence`. */
export function formatProblem(problem: Problem): string {
  const position = problem.line === null ? '' : `:${problem.line}:${problem.column ?? 1}`
  return sentenceAt(problem.source === null ? '' : `${problem.source}${position}`, problem)
}

/** `line:column path: sentence`, for below a heading that names the file. */
export function formatInFile(problem: Problem): string {
  return sentenceAt(`${problem.line ?? 1}:${problem.column ?? 1}`, problem)
}

function sentenceAt(place: string, problem: Problem): string {
  const head = [place, problem.path].filter((part) => part !== '').join(' ')
  return head === '' ? problem.message : `${head}: ${problem.message}`
}

export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? part : `${text}.${part}`
  }, '')
}
