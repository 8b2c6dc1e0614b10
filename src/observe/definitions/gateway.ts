/** The gateway itself: what its own work costs, and what it has lost. */
import { delayBuckets, workBuckets } from './buckets.ts'
import type { Definitions } from './definition.ts'

export const gatewayMetrics = {
  gateway_overhead_seconds: {
    type: 'histogram',
    labels: ['stage'],
    help: 'How long each step of the gateway’s own work on a request kept the event loop: auth, parse, limit, route, queue, send, settle.',
    buckets: workBuckets,
  },
  event_loop_delay_seconds: {
    type: 'histogram',
    labels: [],
    help: 'How late each of the timers was that are set every 20 ms for this: as long as that, every stream waited. Up to some 1 ms is what a timer is late by nature.',
    buckets: delayBuckets,
  },
  stream_backpressure_seconds_total: {
    type: 'counter',
    labels: [],
    help: 'Seconds that hosts were kept waiting because a client took nothing.',
  },
  client_connections: {
    type: 'gauge',
    labels: [],
    help: 'Open connections of clients on the data listener.',
  },
  overload_stage: {
    type: 'gauge',
    labels: [],
    help: 'How short the process is of memory or processor time: 0 not, 1 tight (nobody new may wait), 2 shed (newcomers are refused).',
  },
  config_last_reload_success: {
    type: 'gauge',
    labels: [],
    help: '0 while the configuration that was read last was not taken, so that the one before holds; the log says why.',
  },
  config_reload_success_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When a configuration was last taken, at the start or later, in seconds since 1970.',
  },
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
    help: 'Series under this prefix, each bucket of a histogram for one; the budget is metrics.seriesMax, and past it new series of models and keys are counted as other.',
  },
  metrics_series_folded_total: {
    type: 'counter',
    labels: [],
    help: 'How often a series was not made, and other counted in its place, because the budget (metrics.seriesMax) was spent; must stay 0.',
  },
  otlp_dropped_total: {
    type: 'counter',
    labels: ['signal'],
    help: 'Spans and batches of metrics that the OTLP receiver did not take; signal is traces or metrics.',
  },
  build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1.' },
} as const satisfies Definitions
