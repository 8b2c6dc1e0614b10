/** Limits of keys, teams and clients. */
import { ratioBuckets, waitBuckets } from './buckets.ts'
import type { Definitions } from './definition.ts'

export const limitMetrics = {
  ratelimit_decisions_total: {
    type: 'counter',
    labels: ['key', 'limit', 'decision'],
    help: 'Requests by what the limits of their key, its team or their address said: allow, queue (admitted after a wait) or reject, under the key that asked; limit is the one that wanted them to wait for the longest, or that refused them, none where none did. Those that left while they waited are not counted.',
  },
  ratelimit_remaining_ratio: {
    type: 'gauge',
    labels: ['key', 'limit'],
    help: 'What is left to a key of a limit of its own or of its team, whichever is less, of what may be used at once: 0 to 1; of clients without a key to the one with the least. The 1,000 keys, and as many addresses, that asked last.',
  },
  ratelimit_reservation_ratio: {
    type: 'histogram',
    labels: ['model'],
    help: 'Tokens used by tokens reserved when it was admitted, of requests whose host reported usage.',
    buckets: ratioBuckets,
  },
  limit_wait_seconds: {
    type: 'histogram',
    labels: ['class', 'outcome'],
    help: 'Waits for the limits of the caller, before the line; outcome is admitted, refused or left.',
    buckets: waitBuckets,
  },
} as const satisfies Definitions
