/** Holds what was read against the schemas and the rules, and names every problem with its place. */
import { findingsOf } from './findings.ts'
import type { Overlaid } from './overlay.ts'
import { type ConfigPath, formatPath, type Problem } from './problem.ts'
import { brokenRules } from './rules.ts'
import { configSchema, type ParsedConfig } from './schema.ts'
import { placed, type Source } from './source.ts'
import { valueAt } from './untyped.ts'

export interface Checked {
  /** Null where it is no configuration. */
  readonly parsed: ParsedConfig | null
  readonly problems: readonly Problem[]
}

export function checkedConfig(overlaid: Overlaid, source: Source): Checked {
  const { input, result } = parseWithoutBlanks(overlaid.input)
  // A file that is no configuration at all may be anything, for instance one with a key in it.
  const hidden = (path: ConfigPath) => path.length === 0 || isSecret(path) || (source.yaml?.interpolated(path) ?? false)
  const findings = [
    ...(result.success ? [] : findingsOf(result.error.issues, { input, hidden })),
    ...brokenRules(input),
  ]
  // A place that was already complained about (a variable not set) is not complained about again.
  const known = new Set(source.yaml?.problems.map((problem) => formatPath(problem.path)))
  const problems = findings
    .filter((finding) => !known.has(formatPath(finding.path)))
    .flatMap((finding) => placed(finding, overlaid, source))
  return { parsed: result.success ? result.data : null, problems }
}

/** A known key without a value, such as `server:` with all its lines commented out, means its default. */
function parseWithoutBlanks(input: unknown) {
  const first = configSchema.safeParse(input)
  const blanks = (first.error?.issues ?? [])
    .map((issue) => issue.path.map((part) => (typeof part === 'number' ? part : String(part))))
    .filter((path) => typeof path.at(-1) === 'string' && valueAt(input, path) === null)
    .filter((path) => path[0] !== 'models' || path[1] !== 'aliases' || path.length < 3)
  if (blanks.length === 0) return { input, result: first }
  const filled = blanks.reduce<unknown>(without, input)
  return { input: filled, result: configSchema.safeParse(filled) }
}

function without(input: unknown, path: ConfigPath): unknown {
  const [first, ...rest] = path
  if (typeof input !== 'object' || input === null) return input
  if (Array.isArray(input)) return input.map((item: unknown, index) => (index === first ? without(item, rest) : item))
  const entries = Object.entries(input).flatMap(([key, value]: [string, unknown]) => {
    if (key !== first) return [[key, value]]
    return rest.length === 0 ? [] : [[key, without(value, rest)]]
  })
  return Object.fromEntries(entries)
}

/** Also true for whatever is added later under such a name; a header may hold one whatever it is called. */
function isSecret(path: ConfigPath): boolean {
  return (
    path.includes('headers') ||
    /(?:key|token|secret|password)$/i.test(String(path.findLast((part) => typeof part === 'string')))
  )
}
