/** Hosts: whether they are there, what they have, what went wrong at them. */
import type { Definitions } from './definition.ts'

export const hostMetrics = {
  host_up: { type: 'gauge', labels: ['host'], help: '1 while the host answers its probes.' },
  host_paused: {
    type: 'gauge',
    labels: ['host'],
    help: '1 while an operator has paused the host.',
  },
  host_draining: {
    type: 'gauge',
    labels: ['host'],
    help: '1 while the host gets no new requests because it is to go when those it has are over.',
  },
  host_circuit_open: {
    type: 'gauge',
    labels: ['host'],
    help: '1 while the host is ejected because its requests failed one after the other.',
  },
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
  host_models: { type: 'gauge', labels: ['host'], help: 'Models in the last list of the host.' },
  model_hosts_up: {
    type: 'gauge',
    labels: ['model'],
    help: 'Hosts that are up, not paused and not ejected, and list the model or load it on demand; 0 for one that every such host has lost.',
  },
  host_attempts_total: {
    type: 'counter',
    labels: ['host'],
    help: 'Requests sent to the host, again to the same or after another among them.',
  },
  host_errors_total: {
    type: 'counter',
    labels: ['host', 'reason'],
    help: 'Failed attempts at the host, by the error code they led to.',
  },
} as const satisfies Definitions
