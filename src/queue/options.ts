/** Bounds of the line in which requests wait for a slot. */
import { z } from 'zod'
import { bytes, count, positiveMilliseconds } from '../base/option-types.ts'

export const queueOptions = z.strictObject({
  lengthMax: count
    .default(1_024)
    .describe('Waiting requests in all; with 4 slots and 20 s an answer the last one would already wait 85 minutes'),
  bytesMax: bytes
    .default(268_435_456)
    .describe(
      'Bytes of request bodies held in all, from the first byte read until the request has ended, so that waiting cannot exhaust memory; no key or address may hold more than half of what it leaves free',
    ),
  waitMsMax: positiveMilliseconds
    .default(60_000)
    .describe('Patience: a request that found no slot by then is answered 503 queue_timeout'),
})

export type QueueOptions = z.infer<typeof queueOptions>
