/** The rows on what is going on: the hosts, what went wrong, and the gateway itself. */

import type { Panel } from './grafana-json.ts'
import { gauge, ofProcess, rate } from './promql.ts'
import { failedShare, host, hostsUp, model, requestsPerSecond } from './shared-queries.ts'

/** Node tells the time between two ticks of its sampling timer, whose period is no lag. */
const eventLoopSampleMs = 10

export const hosts: readonly Panel[] = [
  {
    kind: 'states',
    title: 'Up and down',
    description: 'Whether the host answers its probes.',
    unit: 'none',
    width: 12,
    targets: [{ expr: hostsUp, legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Requests at the host',
    description: 'Live leases beside the slots (dashed).',
    unit: 'none',
    width: 12,
    targets: [
      { expr: gauge('host_inflight', { follow: host, by: host }), legend: '{{host}}' },
      { expr: gauge('host_concurrency_limit', { follow: host, by: host }), legend: '{{host}} limit' },
    ],
  },
  {
    kind: 'lines',
    title: 'Slots in use',
    description: 'Live leases by slots; at 100 % newcomers wait.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    targets: [
      {
        expr: `${gauge('host_inflight', { follow: host, by: host })} / ${gauge('host_concurrency_limit', { follow: host, by: host })}`,
        legend: '{{host}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Failed attempts',
    description:
      'Attempts at a host that failed, by the error code they led to; the request itself may have gone well elsewhere.',
    unit: requestsPerSecond,
    width: 8,
    targets: [
      { expr: rate('host_errors_total', { follow: host, by: ['host', 'reason'] }), legend: '{{host}} {{reason}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Models listed',
    description: 'Models in the last list of the host; a step down is often a restart with another configuration.',
    unit: 'none',
    width: 8,
    targets: [{ expr: gauge('host_models', { follow: host, by: host }, 'max'), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Ejected',
    description: '1 while the host gets no requests because they failed one after the other, whatever its probes say.',
    unit: 'none',
    width: 8,
    targets: [{ expr: gauge('host_circuit_open', { follow: host, by: host }, 'max'), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Slots taken by answers that nobody waits for',
    description: 'The client left or a clock ran out, and the host goes on computing: such a slot is not free yet.',
    unit: 'none',
    width: 8,
    targets: [{ expr: gauge('host_zombie_slots', { follow: host, by: host }), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Changes of slots',
    description:
      'Where the number of slots is learnt: up for room; down for tpot (time per output token), ttft (time to first token) or busy (the host said so).',
    unit: 'suffix: /s',
    width: 8,
    targets: [
      {
        expr: rate('host_limit_changes_total', { follow: host, by: ['host', 'direction', 'reason'] }),
        legend: '{{host}} {{direction}} {{reason}}',
      },
    ],
  },
]

export const errors: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'Requests by status',
    description: 'The status that the client got; 499 when it left first.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('requests_total', { follow: model, by: ['status'] }), legend: '{{status}}' }],
  },
  {
    kind: 'stacked',
    title: 'Requests by end code',
    description:
      'First letter, who: C the client left, c it was too slow, U a host broke, u a host was too slow, G a rule, R a resource, A shutdown. Second, when: R reading, A checks, Q line, C connect, H headers, F first content, D data, L last bytes. -- is a normal end.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('requests_total', { follow: model, by: ['end'] }), legend: '{{end}}' }],
  },
  {
    kind: 'lines',
    title: 'Requests by endpoint',
    description: 'What clients call.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('requests_total', { follow: model, by: ['endpoint'] }), legend: '{{endpoint}}' }],
  },
  {
    kind: 'lines',
    title: 'Failed share',
    description: 'Share of requests that a host, the line or the gateway failed.',
    unit: 'percentunit',
    width: 8,
    targets: [{ expr: failedShare(), legend: 'failed' }],
  },
  {
    kind: 'lines',
    title: 'Failovers',
    description: 'Requests moved to another connection or host before anything had been sent to the client.',
    unit: requestsPerSecond,
    width: 8,
    targets: [
      { expr: rate('failovers_total', { follow: model, by: ['phase', 'result'] }), legend: '{{phase}} {{result}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Where token counts come from',
    description:
      'reported: the host’s own usage; counted: frames counted by the gateway, a floor. Much of the latter means that the token figures are too low. rejected: usage that could not be believed, or not all of it; bad frames: pieces of streams that were no JSON.',
    unit: requestsPerSecond,
    width: 8,
    targets: [
      { expr: rate('usage_source_total', { follow: host, by: ['source'] }), legend: '{{source}}' },
      { expr: rate('usage_rejected_total', { follow: host }), legend: 'rejected' },
      { expr: rate('bad_frames_total', { follow: host }), legend: 'bad frames' },
    ],
  },
]

export const gateway: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'CPU',
    description: 'Cores in use; the gateway relays on one thread, so near 1 it is the bottleneck.',
    unit: 'none',
    width: 8,
    targets: [{ expr: ofProcess('rate(process_cpu_seconds_total[$__rate_interval])'), legend: '{{instance}}' }],
  },
  {
    kind: 'lines',
    title: 'Memory',
    description: 'Resident memory of the process and the part of it that is JavaScript objects.',
    unit: 'bytes',
    width: 8,
    targets: [
      { expr: ofProcess('process_resident_memory_bytes'), legend: '{{instance}} resident' },
      { expr: ofProcess('nodejs_heap_size_used_bytes'), legend: '{{instance}} heap' },
    ],
  },
  {
    kind: 'lines',
    title: 'Event loop delay',
    description: 'How late the loop was for its timers since the last scrape; every token waits that long at most.',
    unit: 's',
    width: 8,
    targets: [
      { expr: eventLoopLag('p99'), legend: '{{instance}} p99' },
      { expr: eventLoopLag('max'), legend: '{{instance}} max' },
    ],
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
  {
    kind: 'lines',
    title: 'Metric series',
    description: 'Series with the prefix lmx_gateway_; at 20000 new names are counted as other.',
    unit: 'none',
    width: 6,
    alarms: [15_000, 20_000],
    targets: [{ expr: gauge('metric_series'), legend: 'series' }],
  },
  {
    kind: 'stat',
    title: 'Log lines dropped',
    description: 'Per second, because whatever reads the log does not keep up.',
    unit: 'none',
    width: 4,
    alarms: [0.001, 1],
    targets: [{ expr: rate('log_dropped_total'), legend: 'dropped' }],
  },
  {
    kind: 'lines',
    title: 'Ledger rows waiting',
    description:
      'Rows of the ledger that are yet to be written, and batches that could not be (per second, tried again).',
    unit: 'none',
    width: 6,
    targets: [
      { expr: gauge('ledger_pending_rows'), legend: 'waiting' },
      { expr: rate('store_errors_total'), legend: 'failed batches' },
    ],
  },
  {
    kind: 'stat',
    title: 'Ledger rows lost',
    description: 'Per second; anything but 0 means that the ledger is wrong, see the log of the gateway.',
    unit: 'none',
    width: 4,
    alarms: [0.001, 1],
    targets: [{ expr: rate('usage_rows_lost_total'), legend: 'lost' }],
  },
  {
    kind: 'table',
    title: 'Versions',
    description: 'Version of each gateway and of the Node.js it runs on.',
    unit: 'none',
    width: 6,
    targets: [{ expr: 'max by (instance, version, node) (lmx_gateway_build_info)', legend: '' }],
  },
]

function eventLoopLag(figure: 'p99' | 'max'): string {
  return ofProcess(`clamp_min(nodejs_eventloop_lag_${figure}_seconds - ${eventLoopSampleMs / 1000}, 0)`)
}
