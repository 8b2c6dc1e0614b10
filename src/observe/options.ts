/** Options of what the gateway says about itself. */
import { z } from 'zod'

export const logOptions = z.strictObject({
  format: z.enum(['auto', 'json', 'text']).default('auto').describe('auto: text on a terminal, else JSON lines'),
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Lowest level written'),
})

export type LogOptions = z.infer<typeof logOptions>
