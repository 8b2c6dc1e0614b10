/** Limits of keys, teams and clients. */
import { ratioBuckets, waitBuckets } from './buckets.ts'
import type { Definitions } from './definition.ts'

export const limitMetrics = {
  ratelimit_decisions_total: {
    type: 'counter',
    labels: ['key', 'limit', 'decision'],
    help: 'Requests by what their limits said: allow, queue (admitted after a wait) or reject; limit is the one that kept them away for the longest, none where none did.',
  },
  ratelimit_remaining_ratio: {
    type: 'gauge',
    labels: ['key', 'limit'],
    help: 'What is left of a limit of a key, of what may be used at once: 0 to 1.',
  },
  ratelimit_reservation_ratio: {
    type: 'histogram',
    labels: ['model'],
    help: 'Tokens used by tokens reserved, of requests whose host reported usage.',
    buckets: ratioBuckets,
  },
  limit_wait_seconds: {
    type: 'histogram',
    labels: ['class', 'outcome'],
    help: 'Waits for the limits of the caller, before the line; outcome is admitted, refused or left.',
    buckets: waitBuckets,
  },
} as const satisfies Definitions
