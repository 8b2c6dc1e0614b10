/** A configuration from its definition in code, the defaults for what it leaves out; throws zod's error when it is wrong. */
import { inMemory, resolveConfig } from '../../src/config/resolve.ts'
import { type ConfigInput, configSchema, type ResolvedConfig } from '../../src/config/schema.ts'

export function configOf(input: ConfigInput): ResolvedConfig {
  return resolveConfig(configSchema.parse(input), inMemory)
}
