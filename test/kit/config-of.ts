/** A configuration from its definition in code, the defaults for what it leaves out; throws zod's error when it is wrong. */

import type { z } from 'zod'
import { inMemory, resolveConfig } from '../../src/config/resolve.ts'
import { configSchema, type ResolvedConfig } from '../../src/config/schema.ts'

/** As a file or a test writes it: everything may be left out. */
export type ConfigInput = z.input<typeof configSchema>

export function configOf(input: ConfigInput): ResolvedConfig {
  return resolveConfig(configSchema.parse(input), inMemory)
}
