/** The row on how much comes out, and how fast: of a stream and of all together, side by side. */

import type { Panel } from '../panel.ts'
import { gauge, quantile, rate, shareOfTime, sumRate } from '../promql.ts'
import {
  batchSize,
  generating,
  host,
  key,
  model,
  modelAndHost,
  output,
  prefillSpeed,
  streamSpeed,
  tokens,
  tokensPerSecond,
  topTen,
} from '../shared-queries.ts'

export const outputByModel: Panel = {
  kind: 'stacked',
  title: 'Output by model',
  description: 'Tokens delivered per second of wall time, by the model that made them, counted as they pass.',
  unit: tokensPerSecond,
  width: 8,
  targets: [{ expr: tokens('="output"', model), legend: '{{model}}' }],
}

export const speedAndBatch: Panel = {
  kind: 'lines',
  title: 'Speed of a stream and batch size',
  description:
    'Decode tok/s: output tokens behind the first piece of each stream by the seconds in which they came; not a mean of the speeds of requests, in which short answers weigh too much. Dotted, on the right: answers of all models that the host makes at once while it makes any. Where one goes up the other goes down.',
  unit: tokensPerSecond,
  width: 8,
  alerts: ['DecodeSlow'],
  targets: [
    { expr: streamSpeed(modelAndHost), legend: '{{host}} {{model}}' },
    { expr: batchSize(), legend: '{{host}} batch', rightUnit: 'none' },
  ],
}

export const throughput: readonly Panel[] = [
  outputByModel,
  {
    kind: 'stacked',
    title: 'Output by host',
    description: 'The same tokens, by the host that made them.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: tokens('="output"', ['host']), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Output by key, the ten largest',
    description: 'Tokens delivered per second to the callers that take most.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: topTen(tokens('="output"', key)), legend: '{{key}}' }],
  },
  speedAndBatch,
  {
    kind: 'lines',
    title: 'Speed of a host while busy',
    description:
      'Busy tok/s: output tokens of all models by the wall seconds in which the host was generating any: comparable between quiet and busy days.',
    unit: tokensPerSecond,
    width: 8,
    alerts: ['DecodeSlow'],
    targets: [
      {
        expr: `${rate('tokens_total', { follow: host, where: output, by: host })} / ${generating}`,
        legend: '{{host}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Prefill speed',
    description:
      'Input tokens of streams that hosts reported and did not take from their cache, by the seconds between dispatch and first content of the same streams, told at their end; the wait in the host’s own queue is in these seconds too. Of a host that says nothing of its cache the whole prompt counts.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: prefillSpeed(), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'stacked',
    title: 'Answers being made',
    description:
      'By phase: prefill (no content yet), decode (content comes) and whole (shows nothing before it is whole). Decode and whole together are the batch.',
    unit: 'none',
    width: 8,
    targets: [{ expr: gauge('host_streams', { follow: modelAndHost, by: ['phase'] }), legend: '{{phase}}' }],
  },
  {
    kind: 'stacked',
    title: 'Answers being made, on average',
    description:
      'Seconds that answers spent in each phase, per second: by Little’s law their mean number, those that came and went between two scrapes included.',
    unit: 'none',
    width: 8,
    targets: (['prefill', 'decode', 'whole'] as const).map((phase) => ({
      expr: rate(`${phase}_seconds_total`, { follow: modelAndHost }),
      legend: phase,
    })),
  },
  {
    kind: 'lines',
    title: 'Share of time in which it generates',
    description:
      'Of each model at each host; dashed, of the host with all of them. Models of one host overlap, so their shares may add up to more than all.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    targets: [
      {
        expr: shareOfTime('host_busy_seconds_total', { follow: modelAndHost, by: modelAndHost }),
        legend: '{{host}} {{model}}',
      },
      { expr: generating, legend: '{{host}} in all' },
    ],
  },
  {
    kind: 'lines',
    title: 'End-to-end speed of a request',
    description:
      'Output tokens of answered requests by their whole duration, waiting and prefill included: what users call its speed. Long answers weigh more.',
    unit: tokensPerSecond,
    width: 8,
    targets: [
      {
        expr: `${sumRate('request_output_tokens', { follow: model, by: model })} / ${sumRate('request_duration_seconds', { follow: model, by: model })}`,
        legend: '{{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Tokens by type',
    description: 'cached_input is part of input, reasoning part of output; they must not be added up.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: tokens('!=""', ['type']), legend: '{{type}}' }],
  },
  {
    kind: 'lines',
    title: 'Output that nobody got',
    description:
      'Tokens of attempts that were lost and of answers that were kept back: hosts made them, and nobody is charged for them.',
    unit: tokensPerSecond,
    width: 8,
    targets: [
      {
        expr: rate('discarded_tokens_total', { follow: modelAndHost, by: modelAndHost }),
        legend: '{{host}} {{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Size of prompts',
    description: 'Tokens of the prompts of answered requests, as reported or estimated; the buckets are powers of two.',
    unit: 'suffix: tokens',
    width: 12,
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'request_input_tokens', { follow: model }),
      legend: `p${q * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'Size of answers',
    description: 'Tokens of answers to answered requests, as reported or counted; the buckets are powers of two.',
    unit: 'suffix: tokens',
    width: 12,
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'request_output_tokens', { follow: model }),
      legend: `p${q * 100}`,
    })),
  },
]
