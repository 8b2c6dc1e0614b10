/** The rows on how fast answers come: what a user feels, and what the hosts deliver. */

import type { Panel, Target } from './grafana-json.ts'
import { gauge, heatmap, mean, quantile, rate } from './promql.ts'
import {
  busySeconds,
  failedShare,
  host,
  hostsUp,
  inputTokens,
  model,
  modelAndHost,
  output,
  prefillSpeed,
  requestsPerSecond,
  streamSpeed,
  tokensPerSecond,
} from './shared-queries.ts'

export const now: readonly Panel[] = [
  {
    kind: 'stat',
    title: 'Hosts up',
    description: 'Hosts that answer their probes, beside all that are configured.',
    unit: 'none',
    width: 3,
    targets: [
      { expr: `sum(${hostsUp})`, legend: 'up' },
      { expr: `count(${hostsUp})`, legend: 'of' },
    ],
  },
  {
    kind: 'stat',
    title: 'Open streams',
    description: 'Streams that are being relayed now, on all hosts and models.',
    unit: 'none',
    width: 3,
    targets: [{ expr: gauge('open_streams'), legend: 'streams' }],
  },
  {
    kind: 'stat',
    title: 'Waiting',
    description: 'Requests that wait for a slot now.',
    unit: 'none',
    width: 3,
    alarms: [10, 50],
    targets: [{ expr: gauge('queue_depth', { follow: model }), legend: 'waiting' }],
  },
  {
    kind: 'stat',
    title: 'Output',
    description: 'Tokens delivered per second of wall time, all streams together, counted as they pass.',
    unit: tokensPerSecond,
    width: 3,
    targets: [{ expr: rate('tokens_total', { follow: modelAndHost, where: output }), legend: 'output' }],
  },
  {
    kind: 'stat',
    title: 'Speed of a stream',
    description: 'Output tokens by the seconds that streams spent decoding: what one user sees once the answer runs.',
    unit: tokensPerSecond,
    width: 3,
    targets: [{ expr: streamSpeed(), legend: 'a stream' }],
  },
  {
    kind: 'stat',
    title: 'First token, p95',
    description: '95 of 100 streams had their first content within this time, the wait in line included.',
    unit: 's',
    width: 3,
    alarms: [10, 30],
    targets: [{ expr: quantile(0.95, 'time_to_first_token_seconds', { follow: modelAndHost }), legend: 'p95' }],
  },
  {
    kind: 'stat',
    title: 'Requests',
    description: 'Requests that ended per second, however they ended.',
    unit: requestsPerSecond,
    width: 3,
    targets: [{ expr: rate('requests_total', { follow: model }), legend: 'requests' }],
  },
  {
    kind: 'stat',
    title: 'Failed',
    description:
      'Share of requests that a host, the line or the gateway failed. Clients that left and their own faults (4xx) are not in it.',
    unit: 'percentunit',
    width: 3,
    alarms: [0.01, 0.05],
    targets: [{ expr: failedShare(), legend: 'failed' }],
  },
]

export const latency: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Time to first token',
    description:
      'From accepting a streamed request to its first non-empty content, reasoning or tool delta, over all selected hosts and models.',
    unit: 's',
    width: 8,
    targets: quantiles('time_to_first_token_seconds', [0.5, 0.95, 0.99]),
  },
  {
    kind: 'lines',
    title: 'Time to first token, p95 by model',
    description: 'As the panel beside it, for each model alone.',
    unit: 's',
    width: 8,
    targets: [
      {
        expr: quantile(0.95, 'time_to_first_token_seconds', { follow: modelAndHost, by: model }),
        legend: '{{model}}',
      },
    ],
  },
  {
    kind: 'heatmap',
    title: 'Times to first token',
    description:
      'How many streams had their first content within which time; two bands at once are often two kinds of prompt, or a model that had to be loaded.',
    unit: 's',
    width: 8,
    targets: [{ expr: heatmap('time_to_first_token_seconds', { follow: modelAndHost }), legend: '{{le}}' }],
  },
  {
    kind: 'lines',
    title: 'Time per output token',
    description:
      'One value per stream: (last token - first token) / (tokens - 1). 0.1 s is about as fast as people read.',
    unit: 's',
    width: 8,
    targets: quantiles('time_per_output_token_seconds', [0.5, 0.95]),
  },
  {
    kind: 'lines',
    title: 'Waiting for the first token, on average',
    description:
      'Mean wait in line beside the mean time to first token. What lies between them is the host: its own queue, loading and prefill.',
    unit: 's',
    width: 8,
    targets: [
      { expr: mean('time_to_first_token_seconds', { follow: modelAndHost }), legend: 'first token' },
      { expr: mean('queue_wait_seconds', { follow: model, where: { outcome: '="granted"' } }), legend: 'in line' },
    ],
  },
  {
    kind: 'lines',
    title: 'Request duration',
    description: 'From accepting a request to the last byte of a complete answer, streamed or not.',
    unit: 's',
    width: 8,
    targets: quantiles('request_duration_seconds', [0.5, 0.95]),
  },
]

export const throughput: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'Output by host',
    description: 'Tokens delivered per second of wall time, counted as they pass and not when an answer is complete.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: rate('tokens_total', { follow: modelAndHost, where: output, by: host }), legend: '{{host}}' }],
  },
  {
    kind: 'stacked',
    title: 'Output by model',
    description: 'The same tokens, by the model that made them.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: rate('tokens_total', { follow: modelAndHost, where: output, by: model }), legend: '{{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Output by key, the ten largest',
    description: 'Tokens delivered per second to the callers that take most.',
    unit: tokensPerSecond,
    width: 8,
    targets: [
      {
        expr: `topk(10, ${rate('tokens_total', { follow: modelAndHost, where: output, by: ['key'] })})`,
        legend: '{{key}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Speed of a stream',
    description:
      'Output tokens by the seconds that streams spent decoding. Not a mean of the speeds of requests, in which short answers weigh too much. An answer that was not streamed counts from its dispatch.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: streamSpeed(modelAndHost), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Streams at once while busy',
    description:
      'Stream-seconds by the wall seconds in which at least one stream was decoding: the mean batch. Read it beside the speed of a stream: where one goes up the other goes down.',
    unit: 'none',
    width: 8,
    targets: [
      {
        expr: `${rate('decode_seconds_total', { follow: modelAndHost, by: modelAndHost })} / ${busySeconds()}`,
        legend: '{{host}} {{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Speed of a host while busy',
    description:
      'Output tokens by the wall seconds in which at least one stream was decoding: comparable between quiet and busy days.',
    unit: tokensPerSecond,
    width: 8,
    targets: [
      {
        expr: `${rate('tokens_total', { follow: modelAndHost, where: output, by: modelAndHost })} / ${busySeconds()}`,
        legend: '{{host}} {{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Prefill speed',
    description:
      'Input tokens that did not come from the prefix cache, by the seconds between dispatch and first content; the wait in the host’s own queue is in these seconds too.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: prefillSpeed(), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Tokens by type',
    description: 'cached_input is part of input, reasoning part of output; they must not be added up.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: rate('tokens_total', { follow: modelAndHost, by: ['type'] }), legend: '{{type}}' }],
  },
  {
    kind: 'lines',
    title: 'Input from the prefix cache',
    description: 'Share of the input tokens that hosts did not have to compute again, as far as they report it.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    targets: [
      {
        expr: `${inputTokens('cached_input')} / ${inputTokens('input')}`,
        legend: '{{host}} {{model}}',
      },
    ],
  },
]

function quantiles(name: Parameters<typeof quantile>[1], of: readonly number[]): Target[] {
  return of.map((q) => ({ expr: quantile(q, name, { follow: modelAndHost }), legend: `p${q * 100}` }))
}
