/** Writes down what the schemas make of an empty configuration, and the bounds of plain values: a start need not load those. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { PlainBound } from '../../src/config/plain-config.ts'
import { configSchema } from '../../src/config/schema.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Keys of a schema that are no rule for its values. */
const saysNothing: ReadonlySet<string> = new Set(['type', 'description', 'default'])

type JsonSchema = z.core.JSONSchema.BaseSchema

write(
  'src/config/defaults.ts',
  `/** Every default, made from the schemas by \`npm run generate\`: a start need not load those. */
import type { ParsedConfig } from './schema.ts'

export const defaults: ParsedConfig = ${JSON.stringify(configSchema.parse({}))}
`,
)
write(
  'src/config/plain-bounds.ts',
  `/** Between which bounds plain values lie, made from the schemas by \`npm run generate\`: by their place, that of a host without its number. */
import type { PlainBound } from './plain-config.ts'

export const plainBounds: Readonly<Record<string, PlainBound>> = ${JSON.stringify(Object.fromEntries(boundsIn(z.toJSONSchema(configSchema, { io: 'input' }), [])))}
`,
)

function write(path: string, source: string): void {
  const file = root + path
  writeFileSync(file, source)
  const { status, stderr } = spawnSync(`${root}node_modules/.bin/biome`, ['check', '--write', file], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
}

/** Of all values that are one number, one switch or one word of a few, and have no other rule. */
function* boundsIn(schema: JsonSchema, path: readonly string[]): Generator<[string, PlainBound]> {
  const inside = schema.items !== undefined && path.join() === 'hosts' ? schema.items : schema
  for (const [name, part] of Object.entries(propertiesOf(inside))) {
    if (typeof part === 'boolean') continue
    const bound = boundOf(part)
    if (bound === null) yield* boundsIn(part, [...path, name])
    else yield [[...path, name].join('.'), bound]
  }
}

function propertiesOf(schema: JsonSchema['items']): NonNullable<JsonSchema['properties']> {
  return typeof schema === 'object' && !Array.isArray(schema) ? (schema.properties ?? {}) : {}
}

function boundOf(schema: JsonSchema): PlainBound | null {
  const rules = Object.keys(schema).filter((key) => !saysNothing.has(key))
  const given = rules.toSorted().join()
  const { minimum: min, maximum: max, type } = schema
  if (type === 'boolean' && given === '') return 'switch'
  if (type === 'string' && given === 'enum') return (schema.enum ?? []).map(String)
  if (given !== 'maximum,minimum' || min === undefined || max === undefined) return null
  if (type === 'integer') return { min, max }
  return type === 'number' ? { min, max, isFraction: true } : null
}
