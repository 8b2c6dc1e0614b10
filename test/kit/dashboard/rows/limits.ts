/** The row on limits and keys: what limits decided, what is left of them, and how well tokens were reserved. */

import type { Panel } from '../panel.ts'
import { gauge, quantile, rate } from '../promql.ts'
import { key, model, modelAndHost, requestsPerSecond, tokensPerSecond, topTen } from '../shared-queries.ts'

const rejected = { decision: '="reject"' }

export const limits: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'What limits decided',
    description:
      'Requests by what the limits of their caller said: allow, queue (admitted after a wait) or reject (429).',
    unit: requestsPerSecond,
    width: 8,
    alerts: ['RateLimitStorm'],
    targets: [{ expr: rate('ratelimit_decisions_total', { follow: key, by: ['decision'] }), legend: '{{decision}}' }],
  },
  {
    kind: 'lines',
    title: 'Kept away, by limit',
    description: 'Requests that had to wait or were rejected, by the limit that kept them away for the longest.',
    unit: requestsPerSecond,
    width: 8,
    alerts: ['RateLimitStorm'],
    targets: [
      {
        expr: rate('ratelimit_decisions_total', {
          follow: key,
          where: { decision: '=~"queue|reject"' },
          by: ['limit', 'decision'],
        }),
        legend: '{{limit}} {{decision}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Rejected by key, the ten most',
    description: 'Requests that limits answered with 429, by whose they are.',
    unit: requestsPerSecond,
    width: 8,
    alerts: ['RateLimitStorm'],
    targets: [
      {
        expr: topTen(rate('ratelimit_decisions_total', { follow: key, where: rejected, by: ['key', 'limit'] })),
        legend: '{{key}} {{limit}}',
      },
    ],
  },
  {
    kind: 'table',
    title: 'What is left of limits',
    description: 'Share of what may be used at once that is left of each limit of a key, now; 0 waits or is rejected.',
    unit: 'percentunit',
    width: 8,
    floors: [0.25, 0.05],
    targets: [{ expr: gauge('ratelimit_remaining_ratio', { follow: key, by: ['key', 'limit'] }, 'min'), legend: '' }],
  },
  {
    kind: 'lines',
    title: 'What is left, the ten with least',
    description: 'The same over time: limits of a day or a month burn down, those of a minute come back.',
    unit: 'percentunit',
    width: 8,
    floors: [0.25, 0.05],
    max: 1,
    targets: [
      {
        expr: `bottomk(10, ${gauge('ratelimit_remaining_ratio', { follow: key, by: ['key', 'limit'] }, 'min')})`,
        legend: '{{key}} {{limit}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Wait for limits, by class',
    description: 'How long requests waited for the limits of their caller, before the line, whatever came of it.',
    unit: 's',
    width: 8,
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'limit_wait_seconds', { by: ['class'] }),
      legend: `p${q * 100} {{class}}`,
    })),
  },
  {
    kind: 'lines',
    title: 'Tokens used by tokens reserved',
    description:
      'Of requests whose host reported usage. The p50 is 1 where estimates are right; below it limits of tokens keep away more than they must until the rest is given back.',
    unit: 'none',
    width: 8,
    targets: [0.1, 0.5, 0.9].map((q) => ({
      expr: quantile(q, 'ratelimit_reservation_ratio', { follow: model }),
      legend: `p${q * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'Requests by key, the ten with most',
    description: 'Requests that ended, whatever became of them.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: topTen(rate('requests_total', { follow: [...model, ...key], by: key })), legend: '{{key}}' }],
  },
  {
    kind: 'lines',
    title: 'Input by key, the ten largest',
    description: 'Input tokens per second of the callers that send most; what came from a cache is part of it.',
    unit: tokensPerSecond,
    width: 8,
    targets: [
      {
        expr: topTen(rate('tokens_total', { follow: [...modelAndHost, ...key], where: { type: '="input"' }, by: key })),
        legend: '{{key}}',
      },
    ],
  },
]
