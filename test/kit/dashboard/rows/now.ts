/** The row one looks at first: single figures that say whether all is well. */

import type { Panel } from '../panel.ts'
import { failedAlarms, firstTokenAlarms, metFloors } from '../panel-alarms.ts'
import { gauge, ofGateway, quantile, rate } from '../promql.ts'
import {
  failedShare,
  hostsUp,
  missRatio,
  model,
  modelAndHost,
  output,
  requestsPerSecond,
  shareOf,
  streamSpeed,
  tokensPerSecond,
} from '../shared-queries.ts'
import { budgetLeft, burnRates } from './objectives.ts'

export const objectivesMet: Panel = {
  kind: 'stat',
  title: 'Goodput, 1 h',
  description:
    'Share of the requests of the last hour that met every objective of slo: answered, time to first token, time per output token. What the fleet refused or failed is a miss; what the caller got wrong does not count.',
  unit: 'percentunit',
  width: 3,
  floors: metFloors,
  alerts: ['SloBurnFast'],
  targets: [{ expr: `1 - ${missRatio('goodput', '1h')}`, legend: 'met' }],
}

export const hostsUpNow: Panel = {
  kind: 'stat',
  title: 'Hosts up',
  description: 'Hosts that answer their probes, beside all that are configured.',
  unit: 'none',
  width: 3,
  alerts: ['HostDown'],
  targets: [
    { expr: `sum(${hostsUp})`, legend: 'up' },
    { expr: `count(${hostsUp})`, legend: 'of' },
  ],
}

export const waitingNow: Panel = {
  kind: 'stat',
  title: 'Waiting',
  description: 'Requests that wait for a slot now.',
  unit: 'none',
  width: 3,
  alarms: [10, 50],
  alerts: ['QueueStanding', 'NoCapacityForModel'],
  targets: [{ expr: gauge('queue_depth', { follow: model }), legend: 'waiting' }],
}

export const outputNow: Panel = {
  kind: 'stat',
  title: 'Output',
  description: 'Aggregate tok/s: tokens delivered per second of wall time, all streams together, counted as they pass.',
  unit: tokensPerSecond,
  width: 3,
  targets: [{ expr: rate('tokens_total', { follow: [...modelAndHost, 'key'], where: output }), legend: 'output' }],
}

export const streamSpeedNow: Panel = {
  kind: 'stat',
  title: 'Speed of a stream',
  description:
    'Decode tok/s: output tokens behind the first piece of each stream by the seconds in which they came: what one user sees once the answer runs.',
  unit: tokensPerSecond,
  width: 3,
  alerts: ['DecodeSlow'],
  targets: [{ expr: streamSpeed(), legend: 'speed' }],
}

export const firstTokenNow: Panel = {
  kind: 'stat',
  title: 'First token, p95',
  description:
    'Nineteen of twenty streams had their first content within this time, the wait in line included. Objective: slo.timeToFirstTokenMsMax.',
  unit: 's',
  width: 3,
  alarms: firstTokenAlarms,
  alerts: ['SloBurnFast'],
  targets: [{ expr: quantile(0.95, 'time_to_first_token_seconds', { follow: modelAndHost }), legend: 'p95' }],
}

export const failedNow: Panel = {
  kind: 'stat',
  title: 'Failed',
  description:
    'Share of requests that a host, the line or the gateway failed, of all but those that were wrong or beyond a limit of their caller (4xx).',
  unit: 'percentunit',
  width: 3,
  alarms: failedAlarms,
  alerts: ['SloBurnFast'],
  targets: [{ expr: failedShare(), legend: 'failed' }],
}

const refused = { outcome: '=~"limited|refused"' }

export const now: readonly Panel[] = [
  objectivesMet,
  { ...budgetLeft, width: 6 },
  { ...burnRates, width: 6 },
  hostsUpNow,
  {
    kind: 'stat',
    title: 'Open streams',
    description: 'Streams that are being relayed now, on all hosts and models.',
    unit: 'none',
    width: 3,
    targets: [{ expr: gauge('open_streams'), legend: 'streams' }],
  },
  waitingNow,
  outputNow,
  streamSpeedNow,
  firstTokenNow,
  {
    kind: 'stat',
    title: 'Requests',
    description: 'Requests that ended, per second, whatever became of them.',
    unit: requestsPerSecond,
    width: 6,
    targets: [{ expr: rate('requests_total', { follow: [...model, 'key'] }), legend: 'requests' }],
  },
  failedNow,
  {
    kind: 'stat',
    title: 'Refused',
    description:
      'Share of requests that were turned away before any host had them: beyond a limit of their caller (429), by the line, or for want of memory or processor time.',
    unit: 'percentunit',
    width: 3,
    alarms: [0.05, 0.2],
    alerts: ['RateLimitStorm', 'GatewayOverloaded'],
    targets: [
      {
        expr: shareOf(
          rate('request_outcomes_total', { follow: model, where: refused }),
          rate('request_outcomes_total', { follow: model }),
        ),
        legend: 'refused',
      },
    ],
  },
  {
    kind: 'stat',
    title: 'Gateways',
    description: 'Gateways that Prometheus scrapes and that answer.',
    unit: 'none',
    width: 3,
    floors: [1, 1],
    alerts: ['GatewayDown', 'ScrapeMissing'],
    targets: [{ expr: `count(${ofGateway('build_info')})`, legend: 'gateways' }],
  },
]
