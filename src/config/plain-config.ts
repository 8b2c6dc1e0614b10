/** A configuration of common settings alone, for which no schema need be loaded: that takes longer than most of a start. */
import { defaults } from './defaults.ts'
import { plainBounds } from './plain-bounds.ts'
import type { ConfigPath } from './problem.ts'
import { brokenRules } from './rules.ts'
import type { ParsedConfig } from './schema.ts'
import { list, mapping, text, valueAt, withValueAt } from './untyped.ts'

/** A switch, a number, or one of these words. */
export type PlainBound =
  | 'switch'
  | readonly string[]
  | { readonly min: number; readonly max: number; readonly isFraction?: true }

type IsPlain = (value: unknown) => boolean

/**
 * What the schemas make of `input`, where all of it is plainly good. Null for all else: whether that is wrong, and how, the
 * schemas alone say.
 */
export function plainConfig(input: unknown): ParsedConfig | null {
  const config = overDefaults(defaults, input, [])
  // oxlint-disable-next-line no-unsafe-type-assertion -- the defaults, with values that are good in their places
  return config !== null && brokenRules(input).length === 0 ? (config as ParsedConfig) : null
}

/** Null where anything is not plainly good. A place of which nothing is said here is one of those. */
function overDefaults(byDefault: unknown, input: unknown, path: ConfigPath): unknown {
  if (!isMapping(byDefault) || !isMapping(input)) return null
  let made: unknown = byDefault
  for (const [name, given] of Object.entries(input)) {
    const place = [...path, name]
    const value = isPlain(place, given) ? taken(place, given) : overDefaults(valueAt(byDefault, [name]), given, place)
    if (value === null) return null
    made = withValueAt(made, [name], value)
  }
  return made
}

function taken(place: ConfigPath, value: unknown): unknown {
  return place.join() === 'hosts' ? list(value).map((host) => ({ ...defaults.hosts[0], ...mapping(host) })) : value
}

/** Each lets nothing through that its schema does not; a test holds the two against each other. */
function isPlain(path: ConfigPath, value: unknown): boolean {
  // A name with a dot is none, and would look like the place of another.
  if (path.some((part) => String(part).includes('.'))) return false
  const place = path.join('.')
  const own = plainly.get(place)
  if (own !== undefined) return own(value)
  return Object.hasOwn(plainBounds, place) && isWithin(plainBounds[place] ?? [], value)
}

function isWithin(bound: PlainBound, value: unknown): boolean {
  if (bound === 'switch') return typeof value === 'boolean'
  if (!('min' in bound)) return bound.some((word) => word === value)
  if (typeof value !== 'number' || !(value >= bound.min && value <= bound.max)) return false
  return bound.isFraction ?? Number.isSafeInteger(value)
}

const isFilled: IsPlain = (value) => typeof value === 'string' && value !== ''
const areFilled: IsPlain = (value) => Array.isArray(value) && value.every(isFilled)
const isWord: IsPlain = (value) => /^[\x21-\x7e]*$/.test(text(value) ?? ' ')

const isHost: IsPlain = (host) =>
  isMapping(host) &&
  Object.hasOwn(host, 'url') &&
  Object.entries(host).every(([name, value]) => isPlain(['hosts', name], value))

const plainly: ReadonlyMap<string, IsPlain> = new Map<string, IsPlain>([
  ['hosts', (value) => Array.isArray(value) && value.length > 0 && value.every(isHost)],
  ['hosts.name', (value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text(value) ?? '')],
  ['hosts.url', isPlainUrl],
  ['hosts.slots', (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 1024],
  ['hosts.apiKey', isWord],
  ['hosts.adminKey', isWord],
  ['hosts.models', areFilled],
  ['models.aliases', areAliases],
  ['server.bind', isFilled],
  ['admin.bind', isFilled],
  ['admin.hostNames', areFilled],
  ['admin.metricsToken', (value) => /^\S{16,}$/.test(text(value) ?? '')],
  ['storage.path', isFilled],
])

function isPlainUrl(value: unknown): boolean {
  const url = text(value) ?? ''
  return /^https?:\/\/[a-z\d.-]+(?::\d{1,5})?\/?$/.test(url) && URL.canParse(url)
}

/** Names that are words, each for a model, a model per host, or a list of models. */
function areAliases(value: unknown): boolean {
  return isMapping(value) && Object.entries(value).every(([name, target]) => isAliasName(name) && isTarget(target))
}

function isTarget(target: unknown): boolean {
  if (Array.isArray(target)) return target.length > 0 && areFilled(target)
  return (
    isFilled(target) ||
    (isMapping(target) && Object.entries(target).every((entry) => entry.every(isFilled) && isAliasName(entry[0])))
  )
}

/** The schemas leave that out. */
function isAliasName(name: string): boolean {
  return name !== '' && name !== '__proto__'
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
