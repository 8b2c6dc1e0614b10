/** The row on several gateways before the same hosts: who lives, whether they share, and what Redis and they give each other. */

import type { Panel } from '../panel.ts'
import { redisAlarms } from '../panel-alarms.ts'
import { gauge, quantile, rate } from '../promql.ts'
import { host, perSecond, requestsPerSecond } from '../shared-queries.ts'

const whenEmpty = 'No data: one gateway stands alone (storage.redis is not set)'
const replica = ['replica'] as const
const replicaAndHost = ['replica', 'host'] as const
/** Where a gateway has no name among others its figures are no figures of replicas. */
const named = { replica: '!=""' } as const

const living: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Gateways that live',
    description:
      'As each sees it, itself included. Lines that differ for long are gateways that do not see each other: another fleet, another Redis, or none.',
    unit: 'none',
    width: 8,
    whenEmpty,
    alerts: ['ReplicaGone', 'ReplicaVersions', 'ReplicaNotScraped'],
    targets: [{ expr: gauge('replicas', { by: replica }, 'max'), legend: '{{replica}}' }],
  },
  {
    kind: 'states',
    title: 'Limits and slots together',
    description:
      'Whether a gateway decides with the others or alone: alone it keeps to its share, what is allowed divided by the gateways that were last seen.',
    unit: 'none',
    width: 8,
    whenEmpty,
    states: [
      { value: 0, text: 'together', color: 'green' },
      { value: 1, text: 'alone', color: 'red' },
    ],
    alerts: ['SharingDegraded'],
    targets: [{ expr: gauge('sharing_degraded', { by: replica }, 'max'), legend: '{{replica}}' }],
  },
  {
    kind: 'states',
    title: 'Redis, as each gateway sees it',
    description: 'Whether Redis answers a gateway, or is not asked any more until it does.',
    unit: 'none',
    width: 8,
    whenEmpty,
    states: [
      { value: 0, text: 'gone', color: 'red' },
      { value: 1, text: 'there', color: 'green' },
    ],
    alerts: ['SharingDegraded', 'RedisFails'],
    targets: [{ expr: gauge('redis_up', { by: replica }, 'min'), legend: '{{replica}}' }],
  },
  {
    kind: 'lines',
    title: 'Age of the last beat',
    description:
      'Since Redis last took the word of a gateway that it lives; it is gone for the others after storage.redis.goneAfterMs (3 s unless configured).',
    unit: 's',
    width: 8,
    whenEmpty,
    alerts: ['ReplicaGone'],
    targets: [{ expr: gauge('replica_beat_age_seconds', { by: replica }, 'max'), legend: '{{replica}}' }],
  },
  {
    kind: 'lines',
    title: 'Gateways that went, and new beginnings',
    description:
      'left: it was stopped; missed: it was not heard any more; each of the others counts it. anew: Redis was emptied or is another one. outage: Redis was there and then was not.',
    unit: perSecond,
    width: 8,
    whenEmpty,
    alerts: ['ReplicaGone'],
    targets: [
      { expr: rate('replicas_gone_total', { by: ['how'] }), legend: '{{how}}' },
      { expr: rate('redis_epochs_total'), legend: 'anew' },
      { expr: rate('redis_outages_total'), legend: 'outage' },
    ],
  },
  {
    kind: 'stacked',
    title: 'Requests by gateway',
    description: 'Requests that ended, by the gateway that they came to: how even the balancer in front is.',
    unit: requestsPerSecond,
    width: 8,
    whenEmpty,
    targets: [{ expr: rate('requests_total', { where: named, by: replica }), legend: '{{replica}}' }],
  },
]

const redis: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Redis: time of a call',
    description:
      'Of all calls that were waited for. A request waits for one or two; storage.redis.answerMsMax (50 ms unless configured) is the most that it waits.',
    unit: 's',
    width: 8,
    whenEmpty,
    alarms: redisAlarms,
    alerts: ['RedisSlow'],
    targets: [0.5, 0.99].map((q) => ({ expr: quantile(q, 'redis_call_seconds'), legend: `p${q * 100}` })),
  },
  {
    kind: 'lines',
    title: 'Redis: p99 of a call by gateway and kind',
    description: 'One gateway that is slower than the others is far from Redis, or short of processor time itself.',
    unit: 's',
    width: 8,
    whenEmpty,
    alerts: ['RedisSlow'],
    targets: [
      {
        expr: quantile(0.99, 'redis_call_seconds', { by: ['replica', 'operation'] }),
        legend: '{{replica}} {{operation}}',
      },
    ],
  },
  {
    kind: 'stacked',
    title: 'Redis: calls by kind and outcome',
    description:
      'ok; timeout: no answer in time; error: Redis refused; down: nobody was asked. Beats come five times a second from each gateway.',
    unit: perSecond,
    width: 8,
    whenEmpty,
    alerts: ['RedisFails'],
    targets: [
      {
        expr: rate('redis_calls_total', { by: ['operation', 'outcome'] }),
        legend: '{{operation}} {{outcome}}',
      },
    ],
  },
]

const limitsAndSlots: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Slots held, by gateway and host',
    description:
      'Live leases of each gateway, beside the slots of the host that all of them may hold together (dashed): their sum is never above it.',
    unit: 'none',
    width: 8,
    whenEmpty,
    targets: [
      {
        expr: gauge('host_inflight', { follow: host, where: named, by: replicaAndHost }),
        legend: '{{replica}} {{host}}',
      },
      { expr: gauge('host_inflight', { follow: host, where: named, by: host }), legend: '{{host}} together' },
      {
        expr: gauge('host_concurrency_limit', { follow: host, where: named, by: host }, 'max'),
        legend: '{{host}} limit',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Slots that others hold',
    description:
      'As each gateway last heard; on the right, gateways that were refused a slot of the host and wait for one.',
    unit: 'none',
    width: 8,
    whenEmpty,
    targets: [
      {
        expr: gauge('shared_slots_elsewhere', { follow: host, by: replicaAndHost }, 'max'),
        legend: '{{replica}} {{host}}',
      },
      {
        expr: gauge('shared_slot_claims', { follow: host, by: host }),
        legend: '{{host}} claims',
        rightUnit: 'none',
      },
    ],
  },
  {
    kind: 'stacked',
    title: 'Slots asked for',
    description:
      'granted; refused: others hold them, or come before; local: Redis could not tell, and the gateway kept to its share.',
    unit: perSecond,
    width: 8,
    whenEmpty,
    alerts: ['SharingDegraded'],
    targets: [
      {
        expr: rate('shared_slot_decisions_total', { follow: host, by: ['outcome'] }),
        legend: '{{outcome}}',
      },
    ],
  },
  {
    kind: 'stacked',
    title: 'Limits asked for',
    description: 'By whether the limits were those of all gateways together, or this one’s share of them.',
    unit: requestsPerSecond,
    width: 8,
    whenEmpty,
    alerts: ['SharingDegraded'],
    targets: [{ expr: rate('shared_limit_decisions_total', { by: ['by'] }), legend: '{{by}}' }],
  },
  {
    kind: 'lines',
    title: 'Yet to be told, and answers that came too late',
    description:
      'Keys, teams and addresses of which Redis has yet to be told what they used while it was away; on the right, answers of Redis for which nobody waited any more, and that were undone.',
    unit: 'none',
    width: 8,
    whenEmpty,
    alerts: ['RedisFails'],
    targets: [
      { expr: gauge('shared_limit_charges_waiting', { by: replica }), legend: '{{replica}}' },
      {
        expr: rate('redis_late_answers_total', { by: ['of'] }),
        legend: 'late, {{of}}',
        rightUnit: perSecond,
      },
    ],
  },
]

const handOver: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Age of the keys',
    description:
      'Since the keys that a gateway knows were last seen to be those of all: for as long it may not have heard of one that was revoked.',
    unit: 's',
    width: 8,
    whenEmpty,
    alerts: ['KeysStale'],
    targets: [{ expr: gauge('key_mirror_age_seconds', { by: replica }, 'max'), legend: '{{replica}}' }],
  },
  {
    kind: 'lines',
    title: 'Ledger rows for the others',
    description: 'Rows that a gateway has yet to give to the others, and on the right how long the oldest has waited.',
    unit: 'none',
    width: 12,
    whenEmpty,
    alerts: ['UsageNotHandedOver'],
    targets: [
      { expr: gauge('usage_hand_over_waiting_rows', { by: replica }), legend: '{{replica}}' },
      {
        expr: gauge('usage_hand_over_lag_seconds', { by: replica }, 'max'),
        legend: '{{replica}} oldest',
        rightUnit: 's',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Ledger rows given, taken and missed',
    description:
      'Each row that one gateway gives is taken in by each of the others. missed must stay 0: it was gone from Redis before one could take it in.',
    unit: perSecond,
    width: 12,
    whenEmpty,
    alerts: ['UsageRowsMissed', 'UsageNotHandedOver'],
    targets: [
      { expr: rate('usage_rows_handed_over_total'), legend: 'given' },
      { expr: rate('usage_rows_taken_in_total'), legend: 'taken in' },
      { expr: rate('usage_rows_missed_total'), legend: 'missed' },
    ],
  },
]

export const sharing: readonly Panel[] = [...living, ...redis, ...limitsAndSlots, ...handOver]
