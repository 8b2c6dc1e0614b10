/** The whole gateway as the admin API answers it; the command line checks by it what another machine says. */
import { z } from 'zod'
import {
  amount,
  counted,
  countsBy,
  endedRequests,
  objectives,
  recentSpeeds,
  streams,
  tokenCounts,
} from './speeds-schema.ts'

const rejections = countsBy('full, key_full, wait_too_long, bytes, timeout or no_host')

const stage = z.strictObject({
  count: amount,
  meanMs: z.number().min(0).describe('Milliseconds'),
  p99Ms: z.number().min(0).describe('Milliseconds'),
})

const key = z.strictObject({
  key: z.string(),
  requests: counted.describe('That have ended; null where metrics are off'),
  input: amount,
  cachedInput: amount,
  output: amount,
  cost: z
    .number()
    .min(0)
    .describe('Input that did not come from a cache and twice the output: the measure of the line'),
  waiting: amount,
  running: amount,
})

export const statsSchema = z.strictObject({
  version: z.string(),
  node: z.string(),
  startedAt: z.iso.datetime().describe('ISO 8601, in UTC'),
  uptimeSeconds: z.number().min(0),
  metrics: z.boolean().describe('Whether they are on: what only they count is null otherwise'),
  hosts: z.strictObject({ total: amount, up: amount }),
  requests: endedRequests,
  tokens: tokenCounts,
  speeds: recentSpeeds,
  objectives,
  streams: streams.extend({ open: amount.describe('Streams being relayed') }),
  clientConnections: amount,
  line: z.strictObject({
    paused: z.boolean(),
    waiting: amount,
    tokens: amount.describe('Of these, prompts and answers as estimated'),
    oldestMs: amount.describe('Milliseconds that the first of them has waited; 0 where none waits'),
    bytes: amount.describe('Bytes of request bodies held'),
    fairnessGap: z.number().min(0).describe('Between the most and the least served of the keys that wait'),
    rejections,
    givenBack: counted.describe('Slots that bulk gave back to interactive requests'),
  }),
  limits: countsBy('what limits said to requests: allow, queue or reject'),
  failovers: countsBy('whether the request was answered in the end: ok or failed'),
  overhead: z
    .record(z.string(), stage)
    .nullable()
    .describe(
      "How long each step of the gateway's own work on a request kept the event loop; null where metrics are off",
    ),
  process: z.strictObject({
    eventLoopLagMs: z.number().min(0).describe('Mean delay of its turns in the last half second'),
    rssBytes: amount,
    heapUsedBytes: amount,
    overload: z.enum(['none', 'tight', 'shed']).describe('How short of memory or processor time it is'),
  }),
  losses: z
    .strictObject({
      logLines: amount,
      usageRows: amount,
      seriesFolded: counted.describe(
        'Label values that metrics counted as other, for want of series (metrics.seriesMax); null where metrics are off',
      ),
      storeErrors: amount.describe('Batches of the ledger that could not be written; each is tried again'),
    })
    .describe('All of these should be 0'),
  pendingUsageRows: amount.describe('Rows of the ledger that are yet to be written'),
  keys: z.array(key).describe('Those that were served most since the start, no more than `keys`'),
})

export type StatsPage = z.infer<typeof statsSchema>
