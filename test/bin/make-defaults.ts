/** Writes down what the schemas make of an empty configuration, so that a start without a file need not load them. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../../src/config/schema.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const file = `${root}src/config/defaults.ts`
const source = `/** Every default, made from the schemas by \`npm run generate\`: a start without a file need not load those. */
import type { ParsedConfig } from './schema.ts'

export const defaults: ParsedConfig = ${JSON.stringify(configSchema.parse({}))}
`
writeFileSync(file, source)
const { status, stderr } = spawnSync(`${root}node_modules/.bin/biome`, ['check', '--write', file], { encoding: 'utf8' })
if (status !== 0) throw new Error(stderr)
