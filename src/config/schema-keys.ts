/** Which keys the configuration knows, by place; read off its JSON Schema, and only when a key was refused. */
import { configJsonSchema } from './json-schema.ts'
import type { ConfigPath } from './problem.ts'

/** The keys that may stand in the mapping at `path`; none where any name may stand. */
export function knownKeys(path: ConfigPath): string[] {
  return Object.keys(properties(path.reduce<unknown>(inside, configJsonSchema())))
}

/** Below a mapping of free names, such as those of models, all are of one form. */
function inside(schema: unknown, part: string | number): unknown {
  if (typeof part === 'number') return member(schema, 'items')
  return member(member(schema, 'properties'), part) ?? member(schema, 'additionalProperties')
}

/** Every place where `key` is known; of a list the first entry stands for all. */
export function pathsOfKey(key: string): ConfigPath[] {
  const found: ConfigPath[] = []
  const visit = (schema: unknown, path: ConfigPath) => {
    for (const [name, inner] of Object.entries(properties(schema))) {
      if (name === key) found.push([...path, name])
      visit(inner, [...path, name])
      visit(member(inner, 'items'), [...path, name, 0])
    }
  }
  visit(configJsonSchema(), [])
  return found
}

/** Of a value that may be of several forms, those of the mappings among them. */
function properties(schema: unknown): object {
  const found = member(schema, 'properties')
  if (typeof found === 'object' && found !== null) return found
  const forms = member(schema, 'anyOf')
  return Array.isArray(forms) ? Object.fromEntries(forms.flatMap((form) => Object.entries(properties(form)))) : {}
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
