/** The row on the line: who waits and for how long, whether what they were told came true, and whether it is fair. */

import type { Panel } from '../panel.ts'
import { oldestWaitAlarms } from '../panel-alarms.ts'
import { gauge, quantile, rate, valuesRate } from '../promql.ts'
import { key, model, perSecond, requestsPerSecond, topTen } from '../shared-queries.ts'

const granted = { outcome: '="granted"' }

export const waitingByClass: Panel = {
  kind: 'stacked',
  title: 'Waiting requests by class',
  description: 'Requests that wait for a slot.',
  unit: 'none',
  width: 8,
  alerts: ['QueueStanding', 'NoCapacityForModel'],
  targets: [{ expr: gauge('queue_depth', { follow: model, by: ['class'] }), legend: '{{class}}' }],
}

const waits: readonly Panel[] = [
  waitingByClass,
  {
    kind: 'lines',
    title: 'Oldest wait by class',
    description: 'How long the one that has waited longest has waited until now.',
    unit: 's',
    width: 8,
    alarms: oldestWaitAlarms,
    alerts: ['QueueStanding'],
    targets: [
      { expr: gauge('queue_oldest_age_seconds', { follow: model, by: ['class'] }, 'max'), legend: '{{class}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Wait for a slot by class',
    description: 'From asking for a slot to getting one; requests that never got one are not in it.',
    unit: 's',
    width: 8,
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'queue_wait_seconds', { follow: model, where: granted, by: ['class'] }),
      legend: `p${q * 100} {{class}}`,
    })),
  },
  {
    kind: 'stacked',
    title: 'Waiting requests by model',
    description: 'Requests that wait for a slot.',
    unit: 'none',
    width: 8,
    alerts: ['NoCapacityForModel'],
    targets: [{ expr: gauge('queue_depth', { follow: model, by: model }), legend: '{{model}}' }],
  },
  {
    kind: 'stacked',
    title: 'Tokens waiting by class',
    description: 'Input and output of the requests that wait, as estimated.',
    unit: 'none',
    width: 8,
    targets: [{ expr: gauge('queue_estimated_tokens', { follow: model, by: ['class'] }), legend: '{{class}}' }],
  },
  {
    kind: 'lines',
    title: 'How waits ended',
    description:
      'granted: got a slot; timeout: waited too long; left: the client went; refused: could not wait at all.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: valuesRate('queue_wait_seconds', { follow: model, by: ['outcome'] }), legend: '{{outcome}}' }],
  },
]

const estimates: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Estimates: real wait by predicted wait',
    description:
      'Real wait by the one predicted when the request came. The p50 is 1 where predictions are right; above it waits were longer.',
    unit: 'none',
    width: 8,
    alerts: ['WaitEstimateWrong'],
    targets: [0.5, 0.9].map((q) => ({
      expr: quantile(q, 'wait_estimate_ratio', { follow: model }),
      legend: `p${q * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'Estimates: waits within the p90',
    description:
      'Share of waits that were not longer than nine of ten should be. About 90 % is right; below 80 % the predictions are not to be trusted.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    floors: [0.85, 0.8],
    alerts: ['WaitEstimateWrong'],
    targets: [
      {
        expr: `1 - ${rate('wait_estimate_p90_misses_total', { follow: model })} / ${valuesRate('wait_estimate_ratio', { follow: model })}`,
        legend: 'within',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Refused by the line',
    description:
      'full: too many wait; key_full: too many of that key; wait_too_long: the predicted wait is beyond the patience; bytes: they hold too much memory; timeout: waited too long; no_host: none that could serve it is up.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('queue_rejections_total', { follow: model, by: ['reason'] }), legend: '{{reason}}' }],
  },
]

const served = rate('key_service_cost_total', { follow: key, by: key })
const waited = rate('key_queue_seconds_total', { follow: key, by: key })
const waiting = gauge('key_queue_depth', { follow: key, by: key })
/** As the recorded figure: of keys that wanted something, and 0 of one that waited and was served nothing. */
const servedOfWanting = `(${served} > 0 or (${waited} > 0) * 0 or (${waiting} > 0) * 0)`

const shares: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Waiting by key, the ten longest lines',
    description: 'Requests of a key that wait for a slot; anonymous is all clients without a key.',
    unit: 'none',
    width: 8,
    alerts: ['QueueStanding'],
    targets: [{ expr: topTen(waiting), legend: '{{key}}' }],
  },
  {
    kind: 'lines',
    title: 'Wait by key, the ten that waited most',
    description:
      'Seconds that requests of a key waited for slots, per second, told when each wait ended: by Little’s law its mean number of waiting requests, the short waits between two scrapes included.',
    unit: 'none',
    width: 8,
    alerts: ['QueueStanding'],
    targets: [{ expr: topTen(waited), legend: '{{key}}' }],
  },
  {
    kind: 'lines',
    title: 'Slots by key, the ten that have most',
    description: 'Requests of a key that are at a host now.',
    unit: 'none',
    width: 8,
    targets: [{ expr: topTen(gauge('key_inflight', { follow: key, by: key })), legend: '{{key}}' }],
  },
  {
    kind: 'lines',
    title: 'Served by key, the ten largest',
    description:
      'Per second, in the measure by which the line is fair: input that did not come from a cache and twice the output. Keys of the same weight that all wait have the same.',
    unit: perSecond,
    width: 8,
    targets: [{ expr: topTen(served), legend: '{{key}}' }],
  },
  {
    kind: 'lines',
    title: 'Fairness gap',
    description:
      'Between the most and the least served of the keys that wait now, in the same measure. It stays within the cost of a few large requests; one that grows means that somebody is passed over.',
    unit: 'none',
    width: 8,
    targets: [{ expr: gauge('fairness_gap_cost', {}, 'max'), legend: 'gap' }],
  },
  {
    kind: 'lines',
    title: 'Jain’s index',
    description:
      'How evenly the keys that were served or waited were served: 1 for all the same, 1 / (number of keys) when one had everything. Keys that ask for little lower it too, and so do weights: it tells of unfairness only while keys of one weight all wait.',
    unit: 'none',
    width: 8,
    max: 1,
    targets: [
      {
        expr: `sum(${servedOfWanting}) ^ 2 / (count(${servedOfWanting}) * (sum(${servedOfWanting} ^ 2) > 0))`,
        legend: 'evenness',
      },
    ],
  },
]

const state: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Slots that bulk gave back',
    description: 'Bulk requests without any content yet that made room for an interactive one, and wait again.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('bulk_given_back_total', { follow: model, by: model }), legend: '{{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Bodies held',
    description: 'Bytes of request bodies in memory, from the first byte read.',
    unit: 'bytes',
    width: 8,
    alerts: ['GatewayOverloaded'],
    targets: [{ expr: gauge('queue_bytes'), legend: 'bodies' }],
  },
  {
    kind: 'states',
    title: 'The line',
    description: 'Whether an operator has paused it: then nobody gets a slot, and newcomers wait.',
    unit: 'none',
    width: 8,
    states: [
      { value: 0, text: 'moves', color: 'green' },
      { value: 1, text: 'paused', color: 'blue' },
    ],
    targets: [{ expr: gauge('queue_paused', {}, 'max'), legend: 'line' }],
  },
]

export const line: readonly Panel[] = [...waits, ...estimates, ...shares, ...state]
