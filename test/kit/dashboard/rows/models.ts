/** The row on models: who can serve each, and what is asked of it. */

import type { Panel } from '../panel.ts'
import { gauge, rate } from '../promql.ts'
import { key, model, requestsPerSecond } from '../shared-queries.ts'

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
]
