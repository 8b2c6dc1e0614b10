/** Every metric of the gateway: name, type, labels, buckets and meaning. README and the dashboard are tested against this table. */

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
  readonly buckets?: readonly number[]
}

/** Waits until something happens, in seconds; edges at the usual objectives, long enough for a 100k-token prefill on a Mac. */
const waitBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600]
/** Whole requests, in seconds. */
const durationBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600]
/** Seconds per output token. */
const perTokenBuckets = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2,
  0.3, 0.5, 1, 2,
]

/** What was, by what was told. */
const ratioBuckets = [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10]

export const metricPrefix = 'lmx_gateway_'

/** Keyed by the name without its prefix. */
export const metricDefinitions = {
  requests_total: {
    type: 'counter',
    labels: ['endpoint', 'model', 'key', 'status', 'end'],
    help: 'Requests that ended, by the status the client got (499: it left) and the end code: who ended it and in which phase.',
  },
  request_duration_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: 'From accepting a request to the last byte of its answer, for answered requests.',
    buckets: durationBuckets,
  },
  time_to_first_token_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: 'Streams: from accepting a request to its first non-empty content, reasoning or tool delta.',
    buckets: waitBuckets,
  },
  time_per_output_token_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: 'Streams of two tokens and more: (last token time - first token time) / (output tokens - 1), one value per request.',
    buckets: perTokenBuckets,
  },
  queue_wait_seconds: {
    type: 'histogram',
    labels: ['model', 'class', 'outcome'],
    help: 'From asking for a slot until one was granted, or until the wait ended otherwise; outcome is granted, timeout, left or refused.',
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
  wait_estimate_ratio: {
    type: 'histogram',
    labels: ['model'],
    help: 'Real wait by the wait that was predicted when the request came, of which half should be shorter; one that gave up counts with the time it waited.',
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
  tokens_total: {
    type: 'counter',
    labels: ['model', 'host', 'key', 'type'],
    help: 'Tokens by type (input, cached_input, output, reasoning); output is counted live, a frame with content at a time, and topped up to the usage the host reports; input that no host reported is estimated by its size. cached_input is part of input, reasoning part of output.',
  },
  usage_source_total: {
    type: 'counter',
    labels: ['host', 'source'],
    help: 'Answers by where their token counts come from: reported by the host, counted by the gateway frame by frame, or estimated where only input was read and nothing reported.',
  },
  usage_rejected_total: {
    type: 'counter',
    labels: ['host'],
    help: 'Answers whose reported usage, or a part of it, could not be believed (negative, a fraction, a text, more than 10^9) and was left out.',
  },
  bad_frames_total: {
    type: 'counter',
    labels: ['host'],
    help: 'Frames of streams that were no JSON; each goes out as it came, and the third in a row ends its stream.',
  },
  prefill_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Stream-seconds between dispatch and first content, added up live.',
  },
  decode_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Stream-seconds between first content and end, added up live; of a non-streamed answer, dispatch to end.',
  },
  host_busy_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Wall seconds in which at least one stream was decoding.',
  },
  host_up: { type: 'gauge', labels: ['host'], help: '1 while the host answers its probes.' },
  host_inflight: { type: 'gauge', labels: ['host'], help: 'Live leases: requests at the host now.' },
  host_concurrency_limit: {
    type: 'gauge',
    labels: ['host'],
    help: 'Slots of the host that may be used now: fewer than it has after busy answers and in a slow start.',
  },
  host_limit_changes_total: {
    type: 'counter',
    labels: ['host', 'direction', 'reason'],
    help: 'Changes of the number of slots that is learnt: up for room, down for tpot (time per output token), ttft (time to first token) or busy (the host said so).',
  },
  host_zombie_slots: {
    type: 'gauge',
    labels: ['host'],
    help: 'Slots taken by answers that were given up while the host goes on computing them; part of host_inflight.',
  },
  host_circuit_open: {
    type: 'gauge',
    labels: ['host'],
    help: '1 while the host is ejected because its requests failed one after the other.',
  },
  host_models: { type: 'gauge', labels: ['host'], help: 'Models in the last list of the host.' },
  host_errors_total: {
    type: 'counter',
    labels: ['host', 'reason'],
    help: 'Failed attempts at the host, by the error code they led to.',
  },
  failovers_total: {
    type: 'counter',
    labels: ['model', 'phase', 'result'],
    help: 'Requests moved to another connection or host; phase is connect, reused_socket, refused (busy, no such model) or pre_token (failed before any content), result ok or failed.',
  },
  open_streams: { type: 'gauge', labels: [], help: 'Streams being relayed now.' },
  log_dropped_total: { type: 'counter', labels: [], help: 'Log lines dropped because their reader did not keep up.' },
  usage_rows_lost_total: {
    type: 'counter',
    labels: [],
    help: 'Requests whose row of the ledger was lost because it could not be written in time; must stay 0.',
  },
  store_errors_total: {
    type: 'counter',
    labels: [],
    help: 'Batches of the ledger that could not be written; each is tried again.',
  },
  ledger_pending_rows: { type: 'gauge', labels: [], help: 'Rows of the ledger that are yet to be written.' },
  metric_series: {
    type: 'gauge',
    labels: [],
    help: 'Series under this prefix; once there are 20000, new values of model, host and key are counted as other.',
  },
  build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1.' },
} as const satisfies Record<string, MetricDefinition>

export type MetricName = keyof typeof metricDefinitions
