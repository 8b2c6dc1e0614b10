/** The row on waiting: for the first token and where that time went, between tokens, and in all. */

import type { Panel } from '../panel.ts'
import { firstTokenAlarms, perTokenAlarms } from '../panel-alarms.ts'
import { heatmap, quantile, rate, valuesRate } from '../promql.ts'
import { model, modelAndHost, perSecond, timeToFirstToken } from '../shared-queries.ts'

export const firstToken: Panel = {
  kind: 'lines',
  title: 'Time to first token',
  description:
    'From accepting a streamed request to its first non-empty content, reasoning or tool delta, over all selected hosts and models. Exemplars are single streams that missed the objective.',
  unit: 's',
  width: 8,
  alarms: firstTokenAlarms,
  alerts: ['SloBurnFast'],
  targets: timeToFirstToken,
}

export const latency: readonly Panel[] = [
  firstToken,
  {
    kind: 'lines',
    title: 'Time to first token, p95 by model',
    description: 'As the panel beside it, for each model alone.',
    unit: 's',
    width: 8,
    alarms: firstTokenAlarms,
    alerts: ['SloBurnFast'],
    targets: [
      { expr: quantile(0.95, 'time_to_first_token_seconds', { follow: modelAndHost, by: model }), legend: '{{model}}' },
    ],
  },
  {
    kind: 'heatmap',
    title: 'Times to first token',
    description:
      'How many streams had their first content within which time; two bands at once are often two kinds of prompt, or a model that had to be loaded. Dots are exemplars: single streams that missed the objective, with their request id and, where traces are on, a link to the trace.',
    unit: 's',
    width: 8,
    alerts: ['SloBurnFast'],
    targets: [
      { expr: heatmap('time_to_first_token_seconds', { follow: modelAndHost }), legend: '{{le}}', exemplars: true },
    ],
  },
  {
    kind: 'stacked',
    title: 'Where the time to the first token went',
    description:
      'Its mean, cut into parts that add up to it: read (the body), limit (checks and the wait for limits of the caller), queue (the line), lost (attempts that came to nothing), host (until the head of its answer) and prefill (from there).',
    unit: 's',
    width: 8,
    alerts: ['SloBurnFast'],
    targets: [
      {
        expr: `${rate('time_to_first_token_part_seconds_total', { follow: modelAndHost, by: ['part'] })} / ignoring (part) group_left () ${valuesRate('time_to_first_token_seconds', { follow: modelAndHost })}`,
        legend: '{{part}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'First token of the host, p95 by prefix cache',
    description:
      'Upstream TTFT: from the dispatch of the last attempt to the first content, by what the host said of the prompt: hit (nine tenths and more from its cache), partial, miss, or unknown.',
    unit: 's',
    width: 8,
    targets: [
      {
        expr: quantile(0.95, 'upstream_time_to_first_token_seconds', { follow: modelAndHost, by: ['cache'] }),
        legend: '{{cache}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Time per output token',
    description:
      'One value per stream: (last content - first content) / tokens behind the first piece. 0.1 s is about as fast as people read. Exemplars are single streams that missed the objective.',
    unit: 's',
    width: 8,
    alarms: perTokenAlarms,
    alerts: ['SloBurnFast', 'DecodeSlow'],
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'time_per_output_token_seconds', { follow: modelAndHost }),
      legend: `p${q * 100}`,
      exemplars: q === 0.95,
    })),
  },
  {
    kind: 'lines',
    title: 'Gaps between pieces of content',
    description:
      'One in eight gaps of streams. It is the time between tokens only where a piece holds one token: hosts may put several into one.',
    unit: 's',
    width: 8,
    targets: [0.5, 0.99].map((q) => ({
      expr: quantile(q, 'stream_chunk_gap_seconds', { follow: modelAndHost }),
      legend: `p${q * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'Stalls',
    description:
      'Gaps between pieces of content that were longer than metrics.stallMs (2 s unless configured), per second.',
    unit: perSecond,
    width: 8,
    targets: [
      {
        expr: rate('stream_stalls_total', { follow: modelAndHost, by: modelAndHost }),
        legend: '{{host}} {{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Request duration',
    description: 'From accepting a request to the last byte of a complete answer, streamed or not.',
    unit: 's',
    width: 8,
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'request_duration_seconds', { follow: modelAndHost }),
      legend: `p${q * 100}`,
    })),
  },
]
