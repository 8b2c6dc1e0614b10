/** The row on the prefix caches of hosts: how much of what is sent they need not compute again. */

import type { Panel } from '../panel.ts'
import { mean, valuesRate } from '../promql.ts'
import { modelAndHost, requestsPerSecond, tokens, tokensPerSecond } from '../shared-queries.ts'

export const cache: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Input from the prefix cache',
    description: 'Share of the input tokens that hosts did not have to compute again, as far as they report it.',
    unit: 'percentunit',
    width: 6,
    max: 1,
    targets: [
      {
        expr: `${tokens('="cached_input"', modelAndHost)} / ${tokens('="input"', modelAndHost)}`,
        legend: '{{host}} {{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Input by whether it was cached',
    description: 'All input tokens per second, and those of them that hosts took from their cache.',
    unit: tokensPerSecond,
    width: 6,
    targets: [
      { expr: tokens('="input"'), legend: 'input' },
      { expr: tokens('="cached_input"'), legend: 'of it cached' },
    ],
  },
  {
    kind: 'stacked',
    title: 'Streams by what the cache had',
    description:
      'What the host said of the prompt: hit (nine tenths of it and more came from its cache), partial, miss, or unknown.',
    unit: requestsPerSecond,
    width: 6,
    targets: [
      {
        expr: valuesRate('upstream_time_to_first_token_seconds', { follow: modelAndHost, by: ['cache'] }),
        legend: '{{cache}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'What a hit saves',
    description:
      'Mean time from dispatch to the first content, by what the cache had: the distance between hit and miss.',
    unit: 's',
    width: 6,
    targets: [
      {
        expr: mean('upstream_time_to_first_token_seconds', { follow: modelAndHost, by: ['cache'] }),
        legend: '{{cache}}',
      },
    ],
  },
]
