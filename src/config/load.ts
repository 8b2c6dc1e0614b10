/** Loads the configuration from flags, environment and file, in this order of precedence, and names every problem at once. */
import { withoutAbsentHosts } from './aliases.ts'
import { findingsOf, valueAt } from './findings.ts'
import { type Overlaid, overlay } from './overlay.ts'
import { type ConfigPath, formatPath, type Problem } from './problem.ts'
import { resolveConfig } from './resolve.ts'
import { brokenRules } from './rules.ts'
import { configSchema, type ParsedConfig, type ResolvedConfig } from './schema.ts'
import { inOrder, type LoadOptions, placed, readSource, type Source } from './source.ts'
import { defaultStoragePath, expandedPath } from './storage-path.ts'
import { mapping } from './untyped.ts'

export type LoadedConfig =
  | {
      readonly kind: 'good'
      readonly config: ResolvedConfig
      readonly file: string | null
      /** What the operator should know although nothing is wrong. */
      readonly notes: readonly string[]
      /** There is a file, and nothing in it. */
      readonly isBlank: boolean
    }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[]; readonly file: string | null }

export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { environment, ...source } = await readSource(options)
  const { overlaid, notes } = fittedToHosts(overlay(source.yaml?.input ?? {}, environment, options.flags), source)
  const checked = check(overlaid, source)
  const problems = [...source.problems, ...checked.problems]
  const file = source.label
  if (problems.length > 0 || checked.parsed === null) return { kind: 'bad', problems: inOrder(problems), file }
  const config = resolveConfig(checked.parsed, defaultStoragePath(environment))
  const path = expandedPath(config.storage.path)
  const isBlank = source.yaml !== null && Object.keys(mapping(source.yaml.input)).length === 0
  return { kind: 'good', config: { ...config, storage: { ...config.storage, path } }, file, notes, isBlank }
}

/** Whoever names hosts for one start should not have to edit the aliases in the file first. */
function fittedToHosts(overlaid: Overlaid, source: Source): { overlaid: Overlaid; notes: string[] } {
  const origin = overlaid.origin(['hosts'])
  if (origin === null) return { overlaid, notes: [] }
  const { input, dropped } = withoutAbsentHosts(overlaid.input)
  if (dropped.length === 0) return { overlaid, notes: [] }
  const note =
    `${origin} takes the place of the hosts in ${source.label}, ` +
    `so these entries of models.aliases do not count: ${dropped.join(', ')}`
  return { overlaid: { ...overlaid, input }, notes: [note] }
}

function check(overlaid: Overlaid, source: Source): { parsed: ParsedConfig | null; problems: Problem[] } {
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
