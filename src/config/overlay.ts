/** Lays the environment and the flags over what the file says, and remembers who said what. */
import type { Environment } from './interpolation.ts'
import type { ConfigPath } from './problem.ts'
import { type FlagValues, type Setting, settings } from './settings.ts'
import { withValueAt } from './untyped.ts'

export interface Overlaid {
  readonly input: unknown
  /** The flag or variable that set this place or one above it; null where the file or a default did. */
  origin(path: ConfigPath): string | null
}

/** A flag wins over the environment, the environment over the file. */
export function overlay(fileInput: unknown, environment: Environment, flags: FlagValues): Overlaid {
  const origins = new Map<string, string>()
  let input = fileInput
  for (const setting of settings) {
    const given = fromFlag(setting, flags) ?? fromEnvironment(setting, environment)
    if (given === null || setting.path === null) continue
    input = withValueAt(input, setting.path, typed(setting, given.values))
    origins.set(setting.path.join('.'), given.origin)
  }
  return {
    input,
    origin(path) {
      for (let length = path.length; length > 0; length--) {
        const origin = origins.get(path.slice(0, length).join('.'))
        if (origin !== undefined) return origin
      }
      return null
    },
  }
}

/** The file that was asked for, and by what. */
export function askedFile(environment: Environment, flags: FlagValues): { path: string; origin: string } | null {
  const setting = settings.find((candidate) => candidate.flag === 'config')
  if (setting === undefined) return null
  const given = fromFlag(setting, flags) ?? fromEnvironment(setting, environment)
  return given === null ? null : { path: given.values.at(-1) ?? '', origin: given.origin }
}

interface Given {
  readonly values: readonly string[]
  readonly origin: string
}

function fromFlag(setting: Setting, flags: FlagValues): Given | null {
  const values = setting.flag === null ? undefined : flags.get(setting.flag)
  return values === undefined ? null : { values, origin: `--${setting.flag}` }
}

/** A variable that is set but empty counts as not set: that is what compose files leave of an optional one. */
function fromEnvironment(setting: Setting, environment: Environment): Given | null {
  const value = environment[setting.environment]?.trim() ?? ''
  if (value === '') return null
  // Kubernetes sets <SERVICE>_PORT=tcp://10.0.0.1:4000 in every pod beside a service that is called lmx-gateway.
  if (setting.kind === 'number' && value.startsWith('tcp://')) return null
  const values = setting.kind === 'hosts' ? value.split(',').map((part) => part.trim()) : [value]
  return { values: values.filter((part) => part !== ''), origin: setting.environment }
}

/** What is not of the wanted form stays text, so that the schema refuses it like the same text in a file. */
function typed(setting: Setting, values: readonly string[]): unknown {
  const last = values.at(-1) ?? ''
  switch (setting.kind) {
    case 'hosts':
      return values.map((url) => ({ url }))
    case 'number':
      return /^[-+]?\d+(?:\.\d+)?$/.test(last) ? Number(last) : last
    case 'switch':
      return switchValues.get(last.toLowerCase()) ?? last
    case 'text':
      return last
  }
}

const switchValues = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['false', false],
  ['0', false],
  ['no', false],
])
