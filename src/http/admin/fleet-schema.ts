/** Hosts and models as the admin API answers them; the command line checks by it what another machine says. */
import { z } from 'zod'
import { requestClasses } from '../../base/request-class.ts'
import { amount, countsBy, endedRequests, objectives, recentSpeeds, streams, tokenCounts } from './speeds-schema.ts'

const hostPage = z.strictObject({
  name: z.string(),
  kind: z.string().nullable().describe('Null until it is known'),
  url: z.string(),
  source: z.enum(['configuration', 'operator']).describe('Who has it in the fleet: an operator until the next start'),
  up: z.boolean(),
  problem: z.string().nullable().describe('Why it takes no work'),
  paused: z.boolean().describe('By an operator: it is given no request until it is resumed'),
  pausedFor: z
    .enum(['pause', 'drain'])
    .nullable()
    .describe('drain: once it has no request any more it may be switched off; null where it is not paused'),
  tier: amount.describe('Those of a lower one are filled before'),
  weight: z.number().describe('Its share where hosts are weighted'),
  draining: z.boolean().describe('It has left the fleet, and goes when what runs there has ended'),
  ejected: z.boolean().describe('Its requests failed one after the other'),
  slots: amount.describe('Requests that it may have at once while it is well'),
  limit: amount.describe('Those that it may have just now'),
  inFlight: amount.describe('Requests that it has'),
  telemetry: z
    .strictObject({
      ageMs: amount.describe('Milliseconds since it was asked'),
      queued: amount.nullable().describe('Requests that wait at the host itself'),
      memoryUsedRatio: z.number().nullable().describe('Of its memory, from 0 to 1'),
      cacheUsedRatio: z.number().nullable().describe('Of what it keeps for prompts and answers under way, from 0 to 1'),
    })
    .nullable()
    .describe('What it last said of its load, whoever caused it: a hint, each part null where it does not tell'),
  zombieSlots: amount.describe('Of these, answers that were given up while it goes on computing them'),
  memory: z
    .strictObject({
      modelsMax: amount.describe('Models that it is taken to hold at once, as far as that is known'),
      loadsLastHour: amount,
      resident: z.array(z.strictObject({ model: z.string(), running: amount })).describe('The least lately used first'),
      loading: z
        .strictObject({ model: z.string(), forMs: amount, expectedMs: amount.nullable() })
        .nullable()
        .describe('The model that it loads now; `expectedMs`: what its loads took before, null without any'),
    })
    .nullable()
    .describe('Models in its memory; null where all that it lists are there at any time'),
  streams: streams.describe('Answers that it makes now, by phase'),
  models: z.array(z.string()).describe('That it lists, or is configured to have'),
  errors: countsBy('the error code that a failed attempt led to, since the start'),
  tokens: tokenCounts.describe('Since the start'),
  speeds: recentSpeeds,
})

export const hostsSchema = z.strictObject({
  hosts: z
    .array(hostPage)
    .describe('As the configuration has them, then those that an operator added, then those that go'),
})

const modelPage = z.strictObject({
  model: z.string().describe('A name that requests may use'),
  isAlias: z.boolean().describe('It is configured and stands for others'),
  places: z
    .array(
      z.strictObject({
        host: z.string(),
        model: z.string().describe('Its name there'),
        able: z.boolean().describe('Up, not paused and not ejected'),
        contextTokens: amount
          .nullable()
          .describe('Prompt and answer together, as configured or else as the host says; null where neither is known'),
      }),
    )
    .describe('Hosts that have it'),
  waiting: z
    .array(
      z.strictObject({
        class: z.enum(requestClasses),
        waiting: amount,
        tokens: amount.describe('Of prompts and answers, as estimated'),
        oldestMs: amount.describe('Milliseconds that the first of them has waited'),
      }),
    )
    .describe('Requests that wait for a slot, by class'),
  requests: endedRequests,
  objectives,
  tokens: tokenCounts.describe('Since the start'),
  speeds: recentSpeeds,
})

export const modelsSchema = z.strictObject({ models: z.array(modelPage).describe('In the order of their names') })

export type HostsPage = z.infer<typeof hostsSchema>
export type ModelsPage = z.infer<typeof modelsSchema>
