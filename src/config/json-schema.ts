/** The JSON Schema of the configuration file, for editors; made from the definitions that also check it. */
import { z } from 'zod'
import { configSchema } from './schema.ts'

export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input' })
  return { $schema, title: 'Configuration of LMX gateway (lmx-gateway.yaml)', ...schema }
}
