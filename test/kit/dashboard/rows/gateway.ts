/** The row on the gateway itself: what its own work costs, what it holds, and what it has lost. */

import type { Panel } from '../panel.ts'
import { loopDelayAlarms, seriesAlarms } from '../panel-alarms.ts'
import { gauge, ofGateway, ofProcess, quantile, rate } from '../promql.ts'
import { perSecond } from '../shared-queries.ts'

const work: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Overhead, p99 by stage',
    description:
      'How long each step of the gateway’s own work on a request kept the event loop: auth, parse, limit, route, queue, send, settle. Waiting is not in it.',
    unit: 's',
    width: 8,
    targets: [{ expr: quantile(0.99, 'gateway_overhead_seconds', { by: ['stage'] }), legend: '{{stage}}' }],
  },
  {
    kind: 'lines',
    title: 'Event loop delay',
    description:
      'How late timers were that are set for this all the time: as long as that, every stream waited. Some 1 ms is what a timer is late by nature.',
    unit: 's',
    width: 8,
    alarms: loopDelayAlarms,
    alerts: ['GatewayOverloaded'],
    targets: [0.5, 0.99, 0.999].map((q) => ({
      expr: quantile(q, 'event_loop_delay_seconds'),
      legend: `p${q * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'CPU',
    description: 'Cores in use; the gateway relays on one thread, so near 1 it is the bottleneck.',
    unit: 'none',
    width: 8,
    alarms: [0.8, 0.95],
    alerts: ['GatewayOverloaded'],
    targets: [{ expr: ofProcess('rate(process_cpu_seconds_total[$__rate_interval])'), legend: '{{instance}}' }],
  },
  {
    kind: 'lines',
    title: 'Memory',
    description: 'Resident memory of the process and the part of it that is JavaScript objects.',
    unit: 'bytes',
    width: 8,
    alerts: ['GatewayOverloaded', 'GatewayRestarts'],
    targets: [
      { expr: ofProcess('process_resident_memory_bytes'), legend: '{{instance}} resident' },
      { expr: ofProcess('nodejs_heap_size_used_bytes'), legend: '{{instance}} heap' },
    ],
  },
  {
    kind: 'states',
    title: 'Overload',
    description:
      'How short the process is of memory or processor time: tight lets nobody new wait, shed refuses newcomers.',
    unit: 'none',
    width: 8,
    states: [
      { value: 0, text: 'not', color: 'green' },
      { value: 1, text: 'tight', color: 'orange' },
      { value: 2, text: 'shed', color: 'red' },
    ],
    alerts: ['GatewayOverloaded'],
    targets: [{ expr: gauge('overload_stage', {}, 'max'), legend: 'overload' }],
  },
]

const connections: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Connections of clients',
    description: 'Open connections on the data listener, and the streams among what they carry.',
    unit: 'none',
    width: 8,
    targets: [
      { expr: gauge('client_connections'), legend: 'connections' },
      { expr: gauge('open_streams'), legend: 'streams' },
    ],
  },
  {
    kind: 'lines',
    title: 'Hosts kept waiting by slow clients',
    description:
      'Seconds per second in which a host was kept waiting because its client took nothing: the mean number of such streams.',
    unit: 'none',
    width: 8,
    targets: [{ expr: rate('stream_backpressure_seconds_total'), legend: 'kept waiting' }],
  },
  {
    kind: 'lines',
    title: 'Open files and sockets',
    description: 'File descriptors beside what the system allows the process (dashed).',
    unit: 'none',
    width: 8,
    targets: [
      { expr: ofProcess('process_open_fds'), legend: '{{instance}}' },
      { expr: ofProcess('process_max_fds'), legend: '{{instance}} limit' },
    ],
  },
]

const losses: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Metric series',
    description:
      'Series with the prefix lmx_gateway_; from metrics.seriesMax (20000 unless configured) on new names are counted as other, and each such sample as folded.',
    unit: 'none',
    width: 8,
    alarms: seriesAlarms,
    alerts: ['SeriesFolded'],
    targets: [
      { expr: gauge('metric_series'), legend: 'series' },
      { expr: rate('metrics_series_folded_total'), legend: 'folded', rightUnit: perSecond },
    ],
  },
  {
    kind: 'lines',
    title: 'Ledger rows waiting',
    description: 'Rows of the ledger that are yet to be written, and batches that could not be (tried again).',
    unit: 'none',
    width: 8,
    alerts: ['StoreErrors'],
    targets: [
      { expr: gauge('ledger_pending_rows'), legend: 'waiting' },
      { expr: rate('store_errors_total'), legend: 'failed batches', rightUnit: perSecond },
    ],
  },
  {
    kind: 'lines',
    title: 'Lost',
    description:
      'Must stay 0: rows of the ledger that could not be written in time, log lines whose reader did not keep up, and spans and batches of metrics that the OTLP receiver did not take.',
    unit: perSecond,
    width: 8,
    alarms: [0.001, 1],
    alerts: ['UsageRowsLost', 'LogDropped', 'OtlpDropped'],
    targets: [
      { expr: rate('usage_rows_lost_total'), legend: 'ledger rows' },
      { expr: rate('log_dropped_total'), legend: 'log lines' },
      { expr: rate('otlp_dropped_total', { by: ['signal'] }), legend: 'OTLP {{signal}}' },
    ],
  },
  {
    kind: 'table',
    title: 'Versions',
    description: 'Version of each gateway and of the Node.js it runs on.',
    unit: 'none',
    width: 8,
    targets: [{ expr: `max by (replica, instance, version, node) (${ofGateway('build_info')})`, legend: '' }],
  },
  {
    kind: 'states',
    title: 'Last change of the configuration',
    description:
      'Whether the configuration was taken when it was last read. One that was refused changes nothing; the log says what is wrong with it.',
    unit: 'none',
    width: 8,
    states: [
      { value: 0, text: 'refused', color: 'red' },
      { value: 1, text: 'taken', color: 'green' },
    ],
    alerts: ['ConfigReloadFailed'],
    targets: [{ expr: `min by (instance) (${ofGateway('config_last_reload_success')})`, legend: '{{instance}}' }],
  },
  {
    kind: 'lines',
    title: 'Age of the configuration',
    description: 'Time since a configuration was last taken, at the start or by a change.',
    unit: 's',
    width: 8,
    targets: [
      {
        expr: `time() - max by (instance) (${ofGateway('config_reload_success_timestamp_seconds')})`,
        legend: '{{instance}}',
      },
    ],
  },
]

export const gateway: readonly Panel[] = [...work, ...connections, ...losses]
