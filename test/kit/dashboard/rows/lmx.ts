/** The row that lays what LMX says of itself beside what the gateway sees of it; it needs LMX to be scraped, too. */

import { lmxGauge, lmxQuantile, lmxRate } from '../lmx-promql.ts'
import type { Panel } from '../panel.ts'
import { gauge, quantile, rate } from '../promql.ts'
import { host, output, requestsPerSecond, tokensPerSecond } from '../shared-queries.ts'

const whenEmpty = 'No data: LMX is not scraped (see grafana/README.md)'
const ofHost = { follow: host, by: host } as const
const inFlight = gauge('host_inflight', ofHost)

const load: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'At work in LMX, and sent by the gateway',
    description: 'Requests that LMX runs beside the live leases of the gateway at it. LMX’s own limit is dashed.',
    unit: 'none',
    width: 8,
    whenEmpty,
    targets: [
      { expr: lmxGauge('in_flight_requests'), legend: '{{host}} LMX' },
      { expr: inFlight, legend: '{{host}} gateway' },
      { expr: lmxGauge('concurrent_limit'), legend: '{{host}} LMX limit' },
    ],
  },
  {
    kind: 'lines',
    title: 'Work that did not come through the gateway',
    description:
      'What LMX runs and keeps waiting, less what the gateway has sent it: about 0 unless somebody else uses the host, or it goes on with what was given up. Two scrapes are never of the same moment: look at what stays.',
    unit: 'none',
    width: 8,
    whenEmpty,
    alerts: ['HostBusy'],
    targets: [
      {
        expr: `${lmxGauge('in_flight_requests')} + ${lmxGauge('queued_requests')} - ${inFlight}`,
        legend: '{{host}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Waiting inside LMX',
    description: 'Requests that wait for a slot of LMX; there should be none, since the gateway holds its line.',
    unit: 'none',
    width: 8,
    whenEmpty,
    alerts: ['HostBusy'],
    targets: [{ expr: lmxGauge('queued_requests'), legend: '{{host}}' }],
  },
]

const figures: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Output, by LMX and by the gateway',
    description:
      'LMX counts an answer when it is complete, the gateway as it passes: over a long window both are the same unless others use the host or answers break off.',
    unit: tokensPerSecond,
    width: 8,
    whenEmpty,
    alerts: ['TokenCountUntrusted'],
    targets: [
      { expr: lmxRate('completion_tokens_total'), legend: '{{host}} LMX' },
      { expr: rate('tokens_total', { ...ofHost, where: output }), legend: '{{host}} gateway' },
    ],
  },
  {
    kind: 'lines',
    title: 'Input, by LMX and by the gateway',
    description: 'Tokens of prompts, counted when a request ends by both.',
    unit: tokensPerSecond,
    width: 8,
    whenEmpty,
    targets: [
      { expr: lmxRate('prompt_tokens_total'), legend: '{{host}} LMX' },
      { expr: rate('tokens_total', { ...ofHost, where: { type: '="input"' } }), legend: '{{host}} gateway' },
    ],
  },
  {
    kind: 'lines',
    title: 'Requests and errors of LMX',
    description: 'As LMX counts them; its errors include those that it writes into the text of an answer.',
    unit: requestsPerSecond,
    width: 8,
    whenEmpty,
    alerts: ['HostErrors'],
    targets: [
      { expr: lmxRate('requests_total'), legend: '{{host}} requests' },
      { expr: lmxRate('errors_total'), legend: '{{host}} errors' },
    ],
  },
  {
    kind: 'lines',
    title: 'Duration, p95 by LMX and by the gateway',
    description:
      'LMX’s from its own start of a request (buckets end at 60 s), the gateway’s from accepting it: the distance is the line and the network.',
    unit: 's',
    width: 8,
    whenEmpty,
    targets: [
      { expr: lmxQuantile(0.95, 'request_duration_seconds'), legend: '{{host}} LMX' },
      { expr: quantile(0.95, 'request_duration_seconds', ofHost), legend: '{{host}} gateway' },
    ],
  },
  {
    kind: 'lines',
    title: 'Memory of LMX',
    description: 'Unified memory in use beside all there is (dashed).',
    unit: 'decgbytes',
    width: 8,
    whenEmpty,
    targets: [
      { expr: lmxGauge('memory_used_gb'), legend: '{{host}}' },
      { expr: lmxGauge('memory_total_gb'), legend: '{{host}} limit' },
    ],
  },
  {
    kind: 'lines',
    title: 'Loaded models, and models listed',
    description:
      'What LMX has loaded beside the last list that the gateway read of it. Dotted, on the right: how long LMX runs.',
    unit: 'none',
    width: 8,
    whenEmpty,
    targets: [
      { expr: lmxGauge('loaded_models'), legend: '{{host}} LMX' },
      { expr: gauge('host_models', ofHost, 'max'), legend: '{{host}} gateway' },
      { expr: lmxGauge('uptime_seconds'), legend: '{{host}} up for', rightUnit: 's' },
    ],
  },
]

export const lmx: readonly Panel[] = [...load, ...figures]
