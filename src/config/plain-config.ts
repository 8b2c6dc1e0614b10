/** A configuration of common settings alone, for which no schema need be loaded. */
import { defaults } from './defaults.ts'
import { brokenRules } from './rules.ts'
import type { ParsedConfig } from './schema.ts'
import { settings } from './settings.ts'
import { list, text, valueAt, withValueAt } from './untyped.ts'

/**
 * What the schemas make of `input`, which flags and the environment alone gave, where all of it is plainly good. Null for all
 * else: whether that is wrong, and how, the schemas alone say.
 */
export function plainConfig(input: unknown): ParsedConfig | null {
  let config: unknown = defaults
  for (const { path } of settings) {
    const value = path === null ? undefined : valueAt(input, path)
    if (path === null || value === undefined) continue
    if (plainly[path.join('.')]?.(value) !== true) return null
    config = withValueAt(config, path, path[0] === 'hosts' ? list(value).map(hostOf) : value)
  }
  // oxlint-disable-next-line no-unsafe-type-assertion -- the defaults, with values that are good in their places
  return brokenRules(input).length === 0 ? (config as ParsedConfig) : null
}

/** By the place of a setting. Each lets nothing through that its schema does not; a test holds the two against each other. */
const plainly: Readonly<Record<string, (value: unknown) => boolean>> = {
  hosts: (value) => list(value).length > 0 && list(value).every((host) => isPlainUrl(text(valueAt(host, ['url'])))),
  'server.port': isPort,
  'server.bind': isFilled,
  'server.allowAnonymous': (value) => typeof value === 'boolean',
  'admin.port': isPort,
  'admin.bind': isFilled,
  'admin.metricsToken': (value) => /^\S{16,}$/.test(text(value) ?? ''),
  'queue.lengthMax': (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  'storage.path': isFilled,
  'log.format': (value) => value === 'auto' || value === 'json' || value === 'text',
  'log.level': (value) => value === 'debug' || value === 'info' || value === 'warn' || value === 'error',
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function isPlainUrl(url = ''): boolean {
  return /^https?:\/\/[a-z\d.-]+(?::\d{1,5})?\/?$/.test(url) && URL.canParse(url)
}

/** As one of the defaults, but for where it is. */
function hostOf(host: unknown): unknown {
  return { ...defaults.hosts[0], url: valueAt(host, ['url']) }
}
