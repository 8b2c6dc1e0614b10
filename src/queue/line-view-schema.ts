/** The line as the admin API answers it; the command line checks by it what another machine says. */
import { z } from 'zod'
import { requestClasses } from '../base/request-class.ts'
import { obstacles } from '../hosts/obstacles.ts'

const amount = z.int().min(0)
const milliseconds = amount.describe('Milliseconds')
const tokens = amount.describe('Of prompts and answers, as estimated')
const share = z.number().min(0).max(1).nullable()
const ofClass = z.enum(requestClasses)

export const lineHostSchema = z.strictObject({
  name: z.string(),
  paused: z.boolean().describe('It is given no request until it is resumed'),
  up: z.boolean(),
  running: amount,
  slots: amount.describe('Requests that it may have at once just now'),
})

const bounds = z.strictObject({
  lengthMax: amount,
  lengthMaxPerKey: amount,
  tokensMax: amount,
  tokensMaxPerKey: amount,
  bytesMax: amount,
})

const depth = z.strictObject({
  model: z.string(),
  class: ofClass,
  waiting: amount,
  tokens,
  oldestMs: milliseconds.describe('Milliseconds that the first of them has waited'),
})

const key = z.strictObject({
  id: z.string().describe('Of the key, or the network of clients without one'),
  key: z.string().describe('Its name; anonymous without one'),
  class: ofClass.describe('The highest that its requests may have'),
  weight: z.number(),
  waiting: amount,
  limitWaiting: amount.describe('Requests that wait for its limits, before they wait for a slot'),
  running: amount,
  counter: z
    .number()
    .min(0)
    .describe(
      'What it was served beyond the least served of these keys: uncached input and twice the output, in tokens, divided by its weight',
    ),
})

const waiting = z.strictObject({
  id: z.string().describe('Of the gateway, never twice'),
  requestId: z.string().describe("The client's own where it sent one; it may repeat"),
  key: z.string(),
  class: ofClass,
  model: z.string(),
  endpoint: z.string(),
  waitedMs: milliseconds,
  tokens,
  position: amount.describe('Requests that are likely to be given a slot before it'),
  aheadInKey: amount.describe('Of these those of its own key'),
  keysWaiting: amount,
  p50Ms: milliseconds
    .nullable()
    .describe('It waits no longer than this from now on, as likely as not; null where nothing is known'),
  p90Ms: milliseconds.nullable().describe('The same in nine of ten cases'),
  load: z
    .strictObject({
      host: z.string(),
      model: z.string().describe('Its name there'),
      forMs: milliseconds.nullable().describe('Since it began; null while it has to wait for that'),
      expectedMs: milliseconds.nullable().describe('Until the model is there, as far as that can be told'),
      obstacle: z.enum(obstacles).nullable().describe('Why it has not begun'),
    })
    .nullable()
    .describe('Of the model, which no host has in memory: what it waits for before all else'),
  excludedHosts: z.array(z.string()).describe('That it is not sent to (again)'),
  heldFor: z
    .string()
    .nullable()
    .describe(
      'The host that it waits for though another one has a slot, since that is done sooner, for a while; null: it takes any',
    ),
})

export const lineViewSchema = z.strictObject({
  paused: z.boolean().describe('Nobody is given a slot until the line is resumed'),
  order: z.string().describe('queue.order of the configuration'),
  waiting: amount.describe('Requests that wait for a slot'),
  tokens: tokens.describe('Of these, prompts and answers as estimated'),
  limitWaiting: amount.describe(
    'Requests that wait for the limits of their own keys or addresses, within the same bounds',
  ),
  limitTokens: tokens.describe('Of these'),
  bytes: amount.describe('Bytes of request bodies held, of those that run too'),
  bounds: bounds.describe('As queue of the configuration has them'),
  hosts: z.array(lineHostSchema),
  depths: z.array(depth).describe('By model and class'),
  keys: z.array(key).describe('That have requests waiting or running, the least served first'),
  requests: z.array(waiting).describe('The first that came, no more than `count`'),
  estimates: z
    .strictObject({
      waits: amount,
      withinP90: share.describe('Share that was no longer than the p90 that was told; null without any'),
      nearP50: share.describe('Share that was between half and twice the p50 that was told; null without any'),
    })
    .describe('How good they were, of the last waits that have ended'),
})

/** What pausing and resuming the line answer. */
export const lineStateSchema = z.strictObject({ paused: z.boolean() })

export type LineView = z.infer<typeof lineViewSchema>
export type LineHost = z.infer<typeof lineHostSchema>
