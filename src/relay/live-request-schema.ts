/** A request that waits or runs, as it is shown to whoever administers the gateway: nothing of what it asks or is answered. */
import { z } from 'zod'
import { requestClasses } from '../base/request-class.ts'
import { phases } from './phase-names.ts'

const amount = z.int().min(0)
const milliseconds = amount.describe('Milliseconds')

export const liveRequestSchema = z.strictObject({
  id: z.string().describe('Of the gateway, never twice'),
  requestId: z.string().describe("The client's own where it sent one; it may repeat"),
  key: z.string().describe('Name of its key; anonymous without one'),
  keyId: z.string().nullable(),
  team: z.string().nullable(),
  class: z.enum(requestClasses).nullable().describe('Null until it was read'),
  endpoint: z.string(),
  model: z.string().nullable().describe('The name that was asked for, once it is a known one'),
  stream: z.boolean(),
  phase: z
    .enum(phases)
    .describe(
      'Its body is read; it waits for the limits of its key, or in the line for a slot; its host is connected to, is to send headers, its first content, the rest; the last bytes go out',
    ),
  phaseMs: milliseconds.describe('Milliseconds since its phase began'),
  host: z.string().nullable().describe('Null while no host has it'),
  ageMs: milliseconds.describe('Milliseconds since it came'),
  queueWaitMs: milliseconds.nullable().describe('Milliseconds in the line so far; null before that'),
  promptTokens: amount.describe('As estimated; 0 until it was admitted'),
  outputTokens: amount.describe('Generated so far, as far as can be seen'),
  attempts: amount.describe('Times that it was sent to a host'),
  clientLeft: z.boolean().describe('Its answer is read to the end for nobody, since its host cannot be stopped'),
})

export type LiveRequest = z.infer<typeof liveRequestSchema>
