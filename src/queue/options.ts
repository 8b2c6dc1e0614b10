/** Bounds and shares of the line in which requests wait for a slot. */
import { z } from 'zod'
import { bytes, count, milliseconds, positiveMilliseconds } from '../base/option-types.ts'

const share = z.number().min(0).max(1)

const classOptions = {
  lengthMax: count.optional().describe('Waiting requests of this class in all; default: no bound of its own'),
  waitMsMax: positiveMilliseconds.optional().describe('Patience of this class; default: queue.waitMsMax'),
}

const shareMeaning =
  "Part of each host's slots, and of their time over the last minutes, that this class gets first; lent to others while it does not need it"

const interactiveOptions = z.strictObject({
  share: share.default(0.25).describe(shareMeaning),
  ...classOptions,
})

const defaultOptions = z.strictObject({
  share: share.default(0.25).describe(shareMeaning),
  ...classOptions,
  promoteAfterMs: milliseconds
    .default(30_000)
    .describe(
      'From then on a waiting request counts as interactive, so that a steady stream of those does not starve it',
    ),
})

const bulkOptions = z.strictObject({
  share: share.default(0).describe(shareMeaning),
  lengthMax: count
    .default(512)
    .describe('Waiting bulk requests in all, so that they leave room in the line for others'),
  waitMsMax: positiveMilliseconds.default(600_000).describe('Patience of bulk requests'),
  promoteAfterMs: milliseconds
    .default(120_000)
    .describe('From then on a waiting request counts as of class default, so that bulk work is slow and not stuck'),
})

export const queueOptions = z.strictObject({
  order: z
    .enum(['token-fair', 'first-come'])
    .default('token-fair')
    .describe(
      'Who goes next: the key that was served the fewest tokens for its weight (token-fair), or whoever came first, which lets one busy key hold up all others (first-come)',
    ),
  lengthMax: count
    .default(1_024)
    .describe('Waiting requests in all; with 4 slots and 20 s an answer the last one would already wait 85 minutes'),
  lengthMaxPerKey: count
    .default(256)
    .describe('Of these of one key, or of one address of clients without a key; more are answered 429'),
  tokensMax: count
    .default(4_000_000)
    .describe(
      'Tokens of waiting requests in all, prompts and answers as estimated; a hundred long prompts are more than a thousand short ones',
    ),
  tokensMaxPerKey: count
    .default(1_000_000)
    .describe('Of these of one key or address; its first waiting request may be larger'),
  bytesMax: bytes
    .default(268_435_456)
    .describe(
      'Bytes of request bodies held in all, from the first byte read until the request has ended, so that waiting cannot exhaust memory; no key or address may hold more than half of what it leaves free',
    ),
  waitMsMax: positiveMilliseconds
    .default(60_000)
    .describe(
      'Patience: a request whose predicted wait is longer is answered 503 queue_wait_too_long at once, one that found no slot by then 503 queue_timeout',
    ),
  classes: z
    .strictObject({
      interactive: interactiveOptions.prefault({}),
      default: defaultOptions.prefault({}),
      bulk: bulkOptions.prefault({}),
    })
    .prefault({}),
})

export type QueueOptions = z.infer<typeof queueOptions>
