/** `config-schema`: prints the JSON Schema of the configuration file, for editors. */
import type { Command } from '../command.ts'

export const configSchema: Command = {
  name: 'config-schema',
  summary: 'Prints the JSON Schema of the configuration file, for editors',
  flags: [],
  notes: [],
  async run(_flags, io) {
    const { configJsonSchema } = await import('../../config/json-schema.ts')
    io.out(JSON.stringify(configJsonSchema(), null, 2))
    return 0
  },
}
