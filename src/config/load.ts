/** Loads the configuration from flags, environment and file, in this order of precedence, and names every problem at once. */
import { withoutAbsentHosts } from './aliases.ts'
import type { Checked } from './checked-config.ts'
import { type Overlaid, overlay } from './overlay.ts'
import { plainConfig } from './plain-config.ts'
import type { Problem } from './problem.ts'
import { resolveConfig } from './resolve.ts'
import type { ResolvedConfig } from './schema.ts'
import { inOrder, type LoadOptions, readSource, type Source } from './source.ts'
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
  const checked = await check(overlaid, source)
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

/** A start goes without the schemas, which take a quarter of it to load, as long as all settings are common ones and nothing is wrong. */
async function check(overlaid: Overlaid, source: Source): Promise<Checked> {
  const parsed = source.problems.length === 0 ? plainConfig(overlaid.input) : null
  if (parsed !== null) return { parsed, problems: [] }
  const { checkedConfig } = await import('./checked-config.ts')
  return checkedConfig(overlaid, source)
}
