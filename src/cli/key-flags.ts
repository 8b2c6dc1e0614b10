/** Flags of what a key has, and the body of the admin API that they make. */
import { limitKinds } from '../access/limits.ts'
import { requestClasses } from '../base/request-class.ts'
import { suggestion } from '../config/nearest.ts'
import type { FlagValues } from '../config/settings.ts'
import type { Flag } from './command.ts'

/** What creating and changing a key take, as JSON; what is left out is as it was, or as by default. */
export type KeyBody = Readonly<Record<string, unknown>>

export type ReadKeyFlags =
  | { readonly kind: 'good'; readonly body: KeyBody }
  | { readonly kind: 'bad'; readonly message: string }

interface Field {
  readonly flag: Flag
  /** Where it goes: a field of the body. */
  readonly name: string
  /** The value that it stands for, of all that were given; throws Bad. */
  readonly read: (values: readonly string[], flag: string) => unknown
}

class Bad extends Error {}

const fields: readonly Field[] = [
  {
    flag: { name: 'name', value: 'NAME', help: 'What people call it; unique among keys that are not revoked' },
    name: 'name',
    read: last,
  },
  {
    flag: {
      name: 'team',
      value: 'TEAM',
      help: 'A team of the configuration, whose limits hold as well; none for none',
    },
    name: 'team',
    read: (values) => unlessNone(last(values)),
  },
  {
    flag: {
      name: 'models',
      value: 'A,B*',
      help: 'Models it may use, * at the end for any rest, repeatable; all for all',
    },
    name: 'models',
    read: models,
  },
  {
    flag: { name: 'class', value: 'CLASS', help: `The highest class of its requests: ${requestClasses.join(', ')}` },
    name: 'class',
    read: keyClass,
  },
  {
    flag: { name: 'weight', value: 'N', help: 'Its share against other keys (default: 1)' },
    name: 'weight',
    read: weight,
  },
  {
    flag: { name: 'expires', value: 'WHEN', help: 'In a while (30d, 12h) or at a time (2027-01-01T00:00:00Z); never' },
    name: 'expiresAt',
    read: (values) => (last(values) === 'never' ? null : unlessNone(last(values))),
  },
  {
    flag: { name: 'max-output-tokens', value: 'N', help: 'Most tokens of one answer; none for what the host allows' },
    name: 'maxOutputTokens',
    read: wholeNumber,
  },
  {
    flag: {
      name: 'tag',
      value: 'K=V',
      help: 'A note for programs, repeatable; in a change all of them; none for none',
    },
    name: 'tags',
    read: tags,
  },
]

/** Of a limit that is none: the table of limits says what there is. */
const limitFlags = Object.entries(limitKinds).map(([name, { flag, meaning }]) => ({
  name,
  flag: { name: flag, value: 'N', help: meaning } satisfies Flag,
}))

export const keyFlags: readonly Flag[] = [...fields.map(({ flag }) => flag), ...limitFlags.map(({ flag }) => flag)]

/** Parameters of a query whose flag has the same name. */
const asTheyAre = ['to', 'count', 'ended', 'status', 'end', 'keys', 'from']

/** The flag behind a place in the body, or a parameter of a query, as errors name it: `limits.requestsPerMinute`, `models.0`. */
export function flagOf(param: string): string | undefined {
  const [first, second] = param.split('.')
  if (first === 'limits') return limitFlags.find(({ name }) => name === second)?.flag.name
  if (first === 'slowerThanMs') return 'slower-than'
  if (first !== undefined && asTheyAre.includes(first)) return first
  return fields.find(({ name }) => name === first)?.flag.name
}

export function readKeyFlags(flags: FlagValues): ReadKeyFlags {
  try {
    const body: Record<string, unknown> = {}
    for (const { flag, name, read } of fields) {
      const values = flags.get(flag.name)
      if (values !== undefined) body[name] = read(values, flag.name)
    }
    const limits: Record<string, unknown> = {}
    for (const { flag, name } of limitFlags) {
      const values = flags.get(flag.name)
      if (values !== undefined) limits[name] = wholeNumber(values, flag.name)
    }
    if (Object.keys(limits).length > 0) body['limits'] = limits
    return { kind: 'good', body }
  } catch (error) {
    if (error instanceof Bad) return { kind: 'bad', message: error.message }
    throw error
  }
}

function last(values: readonly string[]): string {
  return values.at(-1) ?? ''
}

function unlessNone(text: string): string | null {
  return text === 'none' ? null : text
}

function wholeNumber(values: readonly string[], flag: string): number | null {
  const text = last(values)
  if (text === 'none') return null
  const number = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (number < 1) throw new Bad(`--${flag}: must be a whole number from 1 on, or none, not "${text}"`)
  return number
}

function weight(values: readonly string[], flag: string): number {
  const number = /^\d+(?:\.\d+)?$/.test(last(values)) ? Number(last(values)) : 0
  if (number <= 0) throw new Bad(`--${flag}: must be a number above 0, not "${last(values)}"`)
  return number
}

function keyClass(values: readonly string[], flag: string): string {
  const found = requestClasses.find((known) => known === last(values))
  if (found !== undefined) return found
  const tail = suggestion(last(values), requestClasses) || `; there are ${requestClasses.join(', ')}`
  throw new Bad(`--${flag}: there is no class "${last(values)}"${tail}`)
}

function models(values: readonly string[], flag: string): readonly string[] | null {
  if (last(values) === 'all') return null
  const names = values.flatMap((value) => value.split(',')).map((name) => name.trim())
  if (names.includes(''))
    throw new Bad(`--${flag}: a name is missing in "${values.join(' ')}"; all stands for all models`)
  return [...new Set(names)]
}

function tags(values: readonly string[], flag: string): Readonly<Record<string, string>> {
  if (last(values) === 'none') return {}
  return Object.fromEntries(
    values.map((value) => {
      const at = value.indexOf('=')
      if (at < 1) throw new Bad(`--${flag}: "${value}" must be written NAME=VALUE`)
      return [value.slice(0, at), value.slice(at + 1)]
    }),
  )
}
