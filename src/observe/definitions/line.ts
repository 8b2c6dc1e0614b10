/** The line: who waits, how long, and how fair it is. */
import { ratioBuckets, waitBuckets } from './buckets.ts'
import type { Definitions } from './definition.ts'

export const lineMetrics = {
  queue_wait_seconds: {
    type: 'histogram',
    labels: ['model', 'class', 'outcome'],
    help: 'Of each turn in the line, from asking for a slot until one was granted, or until the wait ended otherwise; outcome is granted, timeout, left or refused. A request that is sent back waits again, and each of its waits counts.',
    buckets: waitBuckets,
  },
  queue_depth: { type: 'gauge', labels: ['model', 'class'], help: 'Requests waiting for a slot now.' },
  queue_estimated_tokens: {
    type: 'gauge',
    labels: ['model', 'class'],
    help: 'Tokens of the requests waiting for a slot now, input and output, as estimated.',
  },
  queue_oldest_age_seconds: {
    type: 'gauge',
    labels: ['model', 'class'],
    help: 'How long the oldest of the requests waiting for a slot has waited; 0 where none waits.',
  },
  queue_bytes: { type: 'gauge', labels: [], help: 'Bytes of request bodies held now.' },
  queue_rejections_total: {
    type: 'counter',
    labels: ['model', 'reason'],
    help: 'Requests refused by the line: full, key_full, wait_too_long, bytes, timeout or no_host.',
  },
  queue_paused: {
    type: 'gauge',
    labels: [],
    help: '1 while an operator has paused the line.',
  },
  wait_estimate_ratio: {
    type: 'histogram',
    labels: ['model'],
    help: 'Real wait by the wait that was predicted when the request came, of which half should be shorter. One that was given up counts, with the time it took, once that is longer than nine of ten should have been; before that nobody knows.',
    buckets: ratioBuckets,
  },
  wait_estimate_p90_misses_total: {
    type: 'counter',
    labels: ['model'],
    help: 'Waits that were longer than nine of ten should have been by what was predicted; wait_estimate_ratio counts all of them.',
  },
  bulk_given_back_total: {
    type: 'counter',
    labels: ['model'],
    help: 'Slots that a bulk request gave back to an interactive one, by the model that the bulk request asked for.',
  },
  key_queue_depth: {
    type: 'gauge',
    labels: ['key'],
    help: 'Requests of the key waiting for a slot now; anonymous is all clients without a key.',
  },
  key_inflight: { type: 'gauge', labels: ['key'], help: 'Slots the key has now.' },
  key_service_cost_total: {
    type: 'counter',
    labels: ['key'],
    help: 'What the key was served, in the measure by which the line is fair: input that did not come from a cache + 2 x output tokens.',
  },
  fairness_gap_cost: {
    type: 'gauge',
    labels: [],
    help: 'Between the most and the least served of the keys that wait now, in the measure of key_service_cost_total for a weight of 1; 0 where fewer than two wait.',
  },
  key_queue_seconds_total: {
    type: 'counter',
    labels: ['key'],
    help: 'Seconds that the requests of a key waited for slots, whether or not they got one: of each that ended, all its turns.',
  },
} as const satisfies Definitions
