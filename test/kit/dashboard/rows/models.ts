/** The row on models: who can serve each, what is asked of it, and where it is in memory. */

import type { Panel } from '../panel.ts'
import { gauge, mean, rate } from '../promql.ts'
import { key, model, modelAndHost, perSecond, requestsPerSecond } from '../shared-queries.ts'

const ofPlace = { follow: modelAndHost, by: modelAndHost } as const

export const models: readonly Panel[] = [
  {
    kind: 'states',
    title: 'Hosts for each model',
    description:
      'Hosts that are up, neither paused nor ejected, and list the model or load it on demand. At 0 its requests wait for one to return.',
    unit: 'none',
    width: 8,
    states: [
      { value: 0, text: 'none', color: 'red' },
      { value: 1, text: '1', color: 'green' },
    ],
    alerts: ['AllHostsOfModelDown', 'NoCapacityForModel'],
    targets: [{ expr: gauge('model_hosts_up', { follow: model, by: model }, 'min'), legend: '{{model}}' }],
  },
  {
    kind: 'stacked',
    title: 'Requests by model',
    description: 'Requests that ended, whatever became of them; other is a name that no host knows.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('requests_total', { follow: [...model, ...key], by: model }), legend: '{{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Requests by endpoint',
    description: 'What clients call.',
    unit: requestsPerSecond,
    width: 8,
    targets: [
      { expr: rate('requests_total', { follow: [...model, ...key], by: ['endpoint'] }), legend: '{{endpoint}}' },
    ],
  },
  {
    kind: 'states',
    title: 'Models in memory',
    description:
      'Of hosts that load models: where each was in memory, and where it was loading. Models that a host never had in memory are not shown.',
    unit: 'none',
    width: 12,
    states: [
      { value: 0, text: 'out', color: 'blue' },
      { value: 1, text: 'in memory', color: 'green' },
      { value: 2, text: 'loading', color: 'orange' },
    ],
    alerts: ['LoadThrash', 'NoCapacityForModel'],
    targets: [
      {
        expr: `${gauge('model_resident', ofPlace, 'max')} + 2 * ${gauge('model_loading', ofPlace, 'max')}`,
        legend: '{{host}} {{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Who waits for a load',
    description:
      'Requests that wait for a model that no host has in memory, beside the hosts that have it in memory and those that load it (right axis).',
    unit: 'none',
    width: 12,
    alerts: ['NoCapacityForModel'],
    targets: [
      { expr: gauge('model_load_waiting', { follow: model, by: model }), legend: '{{model}} waiting' },
      {
        expr: gauge('model_hosts_resident', { follow: model, by: model }, 'min'),
        legend: '{{model}} in memory',
        rightUnit: 'suffix: hosts',
      },
      {
        expr: gauge('model_hosts_loading', { follow: model, by: model }, 'max'),
        legend: '{{model}} loading',
        rightUnit: 'suffix: hosts',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Loads',
    description:
      'Loads of models that the gateway had hosts do, by how they ended: ok, failed (the host could not), refused (it would not) or lost (it took too long, or the host went).',
    unit: perSecond,
    width: 8,
    alerts: ['LoadFails', 'LoadThrash'],
    targets: [
      {
        expr: rate('model_loads_total', { follow: modelAndHost, by: [...modelAndHost, 'result'] }),
        legend: '{{host}} {{model}} {{result}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Time of a load',
    description: 'Mean time of the loads that went well.',
    unit: 's',
    width: 8,
    alerts: ['SlowLoad'],
    targets: [{ expr: mean('model_load_duration_seconds', ofPlace), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Models put out of memory',
    description:
      'How often a model left the memory of a host, whoever wished it. Models that take turns cost a load each.',
    unit: perSecond,
    width: 8,
    alerts: ['LoadThrash'],
    targets: [{ expr: rate('model_evictions_total', ofPlace), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'table',
    title: 'Length of contexts',
    description:
      'Tokens of prompt and answer together that a model takes at each host, where that is configured or the host says so: a longer prompt goes only where it fits.',
    unit: 'short',
    width: 24,
    targets: [{ expr: gauge('model_context_tokens', ofPlace, 'min'), legend: '' }],
  },
]
