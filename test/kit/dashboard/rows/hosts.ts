/** The row on hosts: whether they are there, how full they are, and what went wrong at them. */

import type { Panel } from '../panel.ts'
import { attemptsAlarms } from '../panel-alarms.ts'
import { gauge, rate } from '../promql.ts'
import { host, hostState, hostStates, perSecond, requestsPerSecond } from '../shared-queries.ts'

const inFlight = gauge('host_inflight', { follow: host, by: host })
/** Of all gateways together: each knows the host's own, and they are not added up. */
const limit = gauge('host_concurrency_limit', { follow: host, by: host }, 'max')

export const stateOfHosts: Panel = {
  kind: 'states',
  title: 'State of hosts',
  description:
    'up and down: whether it answers its probes. ejected: it gets no requests because they failed one after the other, whatever its probes say. paused: an operator wants it so. draining: it is to go when what it has is over.',
  unit: 'none',
  width: 12,
  states: hostStates,
  alerts: ['HostDown', 'CircuitOpen', 'AllHostsOfModelDown'],
  targets: [{ expr: hostState, legend: '{{host}}' }],
}

export const hosts: readonly Panel[] = [
  stateOfHosts,
  {
    kind: 'lines',
    title: 'Requests at the host',
    description: 'Live leases beside the slots that may be used now (dashed).',
    unit: 'none',
    width: 12,
    alerts: ['HostLimitLow'],
    targets: [
      { expr: inFlight, legend: '{{host}}' },
      { expr: limit, legend: '{{host}} limit' },
    ],
  },
  {
    kind: 'lines',
    title: 'Slots in use',
    description: 'Live leases by slots; at 100 % newcomers wait.',
    unit: 'percentunit',
    width: 8,
    alarms: [0.9, 1],
    max: 1,
    alerts: ['QueueStanding', 'HostLimitLow'],
    targets: [{ expr: `${inFlight} / ${limit}`, legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Changes of slots',
    description:
      'Where the number of slots is learnt: up for room; down for tpot (time per output token), ttft (time to first token) or busy (the host said so).',
    unit: perSecond,
    width: 8,
    alerts: ['HostBusy', 'HostLimitLow'],
    targets: [
      {
        expr: rate('host_limit_changes_total', { follow: host, by: ['host', 'direction', 'reason'] }),
        legend: '{{host}} {{direction}} {{reason}}',
      },
    ],
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
    title: 'Failed attempts',
    description:
      'Attempts at a host that failed, by the error code they led to; the request itself may have gone well elsewhere.',
    unit: requestsPerSecond,
    width: 12,
    alerts: ['HostErrors', 'CircuitOpen', 'HostBusy'],
    targets: [
      { expr: rate('host_errors_total', { follow: host, by: ['host', 'reason'] }), legend: '{{host}} {{reason}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Share of attempts that failed',
    description: 'Failed attempts by all that were sent to the host.',
    unit: 'percentunit',
    width: 12,
    alarms: attemptsAlarms,
    alerts: ['HostErrors', 'HostBusy'],
    targets: [
      {
        expr: `${rate('host_errors_total', { follow: host, by: host })} / ${rate('host_attempts_total', { follow: host, by: host })}`,
        legend: '{{host}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Models listed',
    description: 'Models in the last list of the host; a step down is often a restart with another configuration.',
    unit: 'none',
    width: 6,
    targets: [{ expr: gauge('host_models', { follow: host, by: host }, 'max'), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Memory of hosts',
    description:
      'Share of its memory that a host says is used, and of the room that it has for prompts and answers under way. Only of hosts that tell.',
    unit: 'percentunit',
    width: 6,
    max: 1,
    alarms: [0.9, 0.97],
    alerts: ['LoadFails'],
    targets: [
      { expr: gauge('host_memory_used_ratio', { follow: host, by: host }, 'max'), legend: '{{host}} memory' },
      { expr: gauge('host_cache_used_ratio', { follow: host, by: host }, 'max'), legend: '{{host}} cache' },
    ],
  },
  {
    kind: 'lines',
    title: 'Waiting at the host itself',
    description:
      'Requests that a host says wait inside of it, whoever sent them. Those of the gateway wait in its own line: many here have more slots than the host runs at once, or other clients.',
    unit: 'none',
    width: 6,
    alerts: ['HostBusy'],
    targets: [{ expr: gauge('host_queue_depth', { follow: host, by: host }, 'max'), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Age of what hosts say',
    description: 'Time since a host last said how busy it is: an old word counts less and less when hosts are chosen.',
    unit: 's',
    width: 6,
    alerts: ['HostSignalStale'],
    targets: [{ expr: gauge('host_telemetry_age_seconds', { follow: host, by: host }, 'max'), legend: '{{host}}' }],
  },
]
