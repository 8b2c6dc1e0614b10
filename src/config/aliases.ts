/** What aliases may name: models and never aliases, and hosts that are there; and what may not be said of an alias. */
import { suggestion } from './nearest.ts'
import type { ConfigPath, Finding } from './problem.ts'
import { hostNames } from './resolve.ts'
import { list, mapping, text } from './untyped.ts'

const aliasesPath = ['models', 'aliases'] as const

export function aliasFindings(input: unknown): Finding[] {
  const aliases = aliasesOf(input)
  const names = namesOfHosts(input)
  return [...(names.length === 0 ? [] : strangers(aliases, names)), ...chains(aliases), ...clocked(input, aliases)]
}

export interface Pruned {
  readonly input: unknown
  /** What was taken out, as `alias.host`. */
  readonly dropped: readonly string[]
}

/** The input without what aliases say about hosts that are not there, and without the aliases of which nothing is left. */
export function withoutAbsentHosts(input: unknown): Pruned {
  const aliases = aliasesOf(input)
  const names = namesOfHosts(input)
  const absent = strangers(aliases, names)
  if (absent.length === 0) return { input, dropped: [] }
  const kept = Object.entries(aliases).flatMap(([alias, target]): [string, unknown][] => {
    const entries = Object.entries(mapping(target))
    const present = entries.filter(([host]) => names.includes(host))
    if (present.length === entries.length) return [[alias, target]]
    return present.length === 0 ? [] : [[alias, Object.fromEntries(present)]]
  })
  const root = mapping(input)
  const models = { ...mapping(root['models']), aliases: Object.fromEntries<unknown>(kept) }
  const dropped = absent.map(({ path }) => path.slice(aliasesPath.length).join('.'))
  return { input: { ...root, models }, dropped }
}

type Aliases = Readonly<Record<string, unknown>>

function aliasesOf(input: unknown): Aliases {
  return mapping(mapping(mapping(input)['models'])['aliases'])
}

function namesOfHosts(input: unknown): string[] {
  const hosts = list(mapping(input)['hosts']).map((host) => mapping(host))
  return hostNames(hosts.map((host) => ({ name: text(host['name']), url: text(host['url']) })))
}

/** An alias in the form `{ host: model }` must name hosts that exist. */
function strangers(aliases: Aliases, names: readonly string[]): Finding[] {
  return Object.entries(aliases).flatMap(([alias, target]) =>
    Object.keys(mapping(target))
      .filter((host) => !names.includes(host))
      .map((host) => ({
        path: [...aliasesPath, alias, host],
        part: 'key',
        message: `no host is named "${host}"${suggestion(host, names) || `; there are ${names.join(', ')}`}`,
      })),
  )
}

/**
 * An alias is resolved once: one that leads to another would ask hosts for a model that none of them has. Its own name is
 * a model's where it stands in a list or for a host: `qwen: [qwen, llama]` gives a model a fallback.
 */
function chains(aliases: Aliases): Finding[] {
  return Object.entries(aliases).flatMap(([alias, target]) =>
    targets(target).flatMap(({ below, model }) => {
      if (!Object.hasOwn(aliases, model) || (model === alias && below.length > 0)) return []
      const meant = text(aliases[model])
      const fix =
        meant === undefined || Object.hasOwn(aliases, meant) ? 'the name of a model as a host lists it' : `"${meant}"`
      const message = `an alias must name a model, and "${model}" is an alias; write ${fix}`
      return [{ path: [...aliasesPath, alias, ...below], part: 'value' as const, message }]
    }),
  )
}

/** Clocks are looked up by the name at the host, which an alias is not: they would never be found. */
function clocked(input: unknown, aliases: Aliases): Finding[] {
  const clocks = mapping(mapping(mapping(input)['models'])['clocks'])
  return Object.keys(clocks).flatMap((name): Finding[] => {
    if (!Object.hasOwn(aliases, name)) return []
    const models = [...new Set(targets(aliases[name]).map(({ model }) => model))]
    if (models.includes(name)) return []
    const fix = models.length === 0 ? '' : `: ${models.map((model) => `"${model}"`).join(' or ')}`
    const message = `"${name}" is an alias; write the name that the model has at its host${fix}`
    return [{ path: ['models', 'clocks', name], part: 'key', message }]
  })
}

/** The models that an alias of any form names, and where in it. */
function targets(target: unknown): { below: ConfigPath; model: string }[] {
  const entries: [ConfigPath, unknown][] = [
    [[], target],
    ...list(target).map((model, index): [ConfigPath, unknown] => [[index], model]),
    ...Object.entries(mapping(target)).map(([host, model]): [ConfigPath, unknown] => [[host], model]),
  ]
  return entries.flatMap(([below, value]) => (typeof value === 'string' ? [{ below, model: value }] : []))
}
