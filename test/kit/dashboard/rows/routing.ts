/** The row on the choice of hosts: why each was chosen, how true what was foreseen of it came, and what waiting for one brings. */

import type { Panel } from '../panel.ts'
import { gauge, quantile, rate } from '../promql.ts'
import { host, modelAndHost, perSecond, requestsPerSecond, tokensPerSecond } from '../shared-queries.ts'

const ofPlace = { follow: modelAndHost, by: modelAndHost } as const
const ofHost = { follow: modelAndHost, by: host } as const

const outputOf = rate('tokens_total', { ...ofHost, where: { type: '="output"' } })
const slots = gauge('host_concurrency_limit', { follow: host, by: host }, 'max')
/** Of a host with all of its slots taken, with the model that it is the fastest with. */
const capacity = `(${gauge('host_decode_tokens_per_second', ofHost, 'max')} * ${slots} / (1 + ${gauge('host_batch_slowdown', ofHost, 'min')} * (${slots} - 1)))`

export const routing: readonly Panel[] = [
  {
    kind: 'stacked',
    title: 'Why hosts were chosen',
    description: 'Slots given to requests by the reason in x-lmx-gateway-reason; README has what each of them means.',
    unit: requestsPerSecond,
    width: 8,
    targets: [
      { expr: rate('routing_decisions_total', { follow: modelAndHost, by: ['reason'] }), legend: '{{reason}}' },
    ],
  },
  {
    kind: 'stacked',
    title: 'Which hosts were chosen',
    description: 'Slots given to requests by host.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('routing_decisions_total', ofHost), legend: '{{host}}' }],
  },
  {
    kind: 'lines',
    title: 'Share of the work, and of what can be done',
    description:
      'Share of all output that each host makes, beside its share of what all could make with all of their slots taken (dashed), by the speeds that were learned. While all have work the two are near each other; with little to do the fastest does most.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    targets: [
      { expr: `${outputOf} / on () group_left () sum(${outputOf})`, legend: '{{host}}' },
      { expr: `${capacity} / on () group_left () sum(${capacity})`, legend: '{{host}} capacity' },
    ],
  },
  {
    kind: 'lines',
    title: 'Prefixes: predicted and real',
    description:
      'Input tokens that hosts were expected to have in their caches, beside those that they said they had, of the same answers. Real far below predicted: the cache is smaller, or off, or the host was restarted.',
    unit: tokensPerSecond,
    width: 8,
    alerts: ['PrefixPredictionWrong'],
    targets: [
      { expr: rate('prefix_predicted_tokens_total', ofHost), legend: '{{host}} predicted' },
      { expr: rate('prefix_cached_tokens_total', ofHost), legend: '{{host}} real' },
    ],
  },
  {
    kind: 'lines',
    title: 'First token by what was predicted',
    description:
      'Real time from dispatch to the first token by the time that was predicted when the host was chosen: 1 is true, 2 took twice as long.',
    unit: 'none',
    width: 8,
    targets: [0.5, 0.95].map((q) => ({
      expr: quantile(q, 'routing_first_token_ratio', ofHost),
      legend: `{{host}} p${q * 100}`,
    })),
  },
  {
    kind: 'lines',
    title: 'Waiting for one host',
    description:
      'Requests that waited for a host that was full, since that was to be sooner, by how it ended: granted (it had its slot there), let_go (it took too long), host_gone or left. The dotted line is how many wait for each host so on average.',
    unit: perSecond,
    width: 8,
    targets: [
      { expr: rate('routing_holds_total', { follow: host, by: ['host', 'result'] }), legend: '{{host}} {{result}}' },
      {
        expr: rate('routing_hold_seconds_total', { follow: host, by: host }),
        legend: '{{host}} waiting',
        rightUnit: 'suffix: requests',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Learned speed of reading',
    description: 'Tokens of a prompt that no cache holds, per second, as it was learned: hosts are chosen by it.',
    unit: tokensPerSecond,
    width: 8,
    targets: [{ expr: gauge('host_prefill_tokens_per_second', ofPlace, 'min'), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'lines',
    title: 'Learned speed of writing',
    description: 'Tokens per second of one answer alone, as it was learned: hosts are chosen by it.',
    unit: tokensPerSecond,
    width: 8,
    alerts: ['DecodeSlow'],
    targets: [{ expr: gauge('host_decode_tokens_per_second', ofPlace, 'min'), legend: '{{host}} {{model}}' }],
  },
  {
    kind: 'lines',
    title: 'What one more answer costs',
    description:
      'What each further answer at the host adds to the time of every token of all, as it was learned: 0.3 is three tenths more. Near 0 the host has room for more slots; near 1 more slots bring nothing.',
    unit: 'percentunit',
    width: 8,
    targets: [{ expr: gauge('host_batch_slowdown', ofPlace, 'max'), legend: '{{host}} {{model}}' }],
  },
]
