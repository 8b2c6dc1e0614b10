/** Requests, live and ended, as the admin API lists and shows them. */
import { z } from 'zod'
import { liveRequestSchema } from '../../relay/live-request-schema.ts'
import { decisionSchema } from './decision-schema.ts'
import { endedRequestSchema } from './ended-request-schema.ts'

export const requestsSchema = z.strictObject({
  requests: z.array(liveRequestSchema).describe('Those that wait or run, the oldest first'),
  matching: z.int().min(0).describe('As many of these there are, with those that are not listed'),
  ended: z.array(endedRequestSchema).describe('The last that ended, the newest first'),
})

export const requestSchema = z.strictObject({
  live: liveRequestSchema.nullable().describe('Null once it has ended'),
  ended: endedRequestSchema.nullable().describe('Null until then'),
  decisions: z
    .array(decisionSchema)
    .describe('Each choice of a host for it, the first one first; none where it never came to that'),
})

export type ShownRequest = z.infer<typeof requestSchema>
