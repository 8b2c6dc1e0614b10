/** Options of shared access: what keys, teams and clients without a key may use. */
import { z } from 'zod'
import { count, milliseconds, timeZone } from '../base/option-types.ts'
import { limitKinds, perLimit } from './limits.ts'

/** Limits as a file or a request writes them. */
export const limitsSchema = z.strictObject(perLimit((name) => count.optional().describe(limitKinds[name].meaning)))

export const limitsOptions = z.strictObject({
  timeZone: timeZone.default('UTC').describe('Whose calendar days and months count for limits per day and month'),
  cachedInputWeight: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe('What a prompt token that the host took from its cache counts for, against limits of tokens'),
  default: limitsSchema
    .prefault({})
    .describe('For each key in what it has no limit of its own, and for each address of clients without a key'),
  waitMsMax: milliseconds
    .optional()
    .describe(
      'How long a request may wait for the limits of its key, team or address instead of being answered 429, if they will admit it by then; default: its whole patience (queue.waitMsMax, or that of its class). 0 answers 429 at once: for clients that would rather ask elsewhere than wait',
    ),
  failedKeysPerMinute: count
    .default(20)
    .describe('Wrong keys from one address in a minute; beyond it wrong ones are answered 429, good ones go on'),
  clientsMax: count
    .default(10_000)
    .describe('Keys and addresses whose limits are remembered at once; the longest unused is forgotten first'),
})

export const teamsOptions = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be 1 to 63 letters, digits, dots, dashes or underscores'),
    limitsSchema,
  )
  .default({})
  .describe('Limits that the keys of a team share, by its name')

export type LimitsOptions = z.infer<typeof limitsOptions>
export type TeamsOptions = z.infer<typeof teamsOptions>
