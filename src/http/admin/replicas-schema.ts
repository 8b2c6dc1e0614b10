/** The gateways before the same hosts as the admin API answers them; the command line checks by it what another machine says. */
import { z } from 'zod'
import { amount } from './speeds-schema.ts'

const replicaPage = z.strictObject({
  id: z.string().describe('Of its process: another one after each start'),
  name: z.string().nullable().describe('storage.redis.replica, else machine and port; null of one that came just now'),
  version: z.string().nullable(),
  startedAt: z.string().nullable(),
  beatAgeMs: amount.describe('Milliseconds since it last told that it lives'),
  running: amount.nullable().describe('Requests that it has at hosts; null where it has not told yet'),
  waiting: amount.nullable().describe('Requests that wait in its line'),
  isThis: z.boolean().describe('The gateway that answers'),
})

export const replicasSchema = z.strictObject({
  sharing: z.strictObject({
    isShared: z
      .boolean()
      .describe('Limits, slots and budgets are those of all together; else this gateway keeps its share by itself'),
    since: z.string().describe('When that began'),
    why: z.string().nullable().describe('Why they are not shared'),
  }),
  replicas: z.array(replicaPage).describe('By name; as many as when Redis was last there'),
})

export type ReplicasPage = z.infer<typeof replicasSchema>
