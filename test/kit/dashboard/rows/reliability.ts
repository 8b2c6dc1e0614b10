/** The row on what became of requests, and whether objectives were met. */

import type { Panel } from '../panel.ts'
import { failedAlarms } from '../panel-alarms.ts'
import { rate, valuesRate } from '../promql.ts'
import { failedShare, host, key, model, requestsPerSecond } from '../shared-queries.ts'
import { objectivesOverTime } from './objectives.ts'

const requests = { follow: [...model, ...key] } as const
const broken = rate('request_outcomes_total', { follow: model, where: { outcome: '="broken"' } })
/** Many whole answers beside them must not hide that streams break off. */
const streamsWithContent = valuesRate('time_to_first_token_seconds', { follow: model })

export const byStatus: Panel = {
  kind: 'stacked',
  title: 'Requests by status',
  description: 'The status that the client got; 499 when it left first.',
  unit: requestsPerSecond,
  width: 8,
  alerts: ['RateLimitStorm'],
  targets: [{ expr: rate('requests_total', { ...requests, by: ['status'] }), legend: '{{status}}' }],
}

const ends: readonly Panel[] = [
  byStatus,
  {
    kind: 'stacked',
    title: 'Requests by outcome',
    description:
      'ok; left by the client, or slow_client; caller_error (4xx) and limited (429); refused by the line or for want of something of the gateway; failed before anything was sent, or broken behind the beginning; cancelled by an operator or a shutdown.',
    unit: requestsPerSecond,
    width: 8,
    alerts: ['ModelFailing', 'StreamTruncations'],
    targets: [{ expr: rate('request_outcomes_total', { follow: model, by: ['outcome'] }), legend: '{{outcome}}' }],
  },
  {
    kind: 'stacked',
    title: 'Requests by end code',
    description:
      'For what is frequent: the first of each key with an end is not seen. First letter, who: C the client left, c it was too slow, U a host broke, u a host was too slow, G a rule, R a resource, A shutdown. Second, when: R reading, A checks, Q line, C connect, H headers, F first content, D data, L last bytes. -- is a normal end.',
    unit: requestsPerSecond,
    width: 8,
    targets: [{ expr: rate('requests_total', { ...requests, by: ['end'] }), legend: '{{end}}' }],
  },
  {
    kind: 'lines',
    title: 'Failed share',
    description:
      'Share of requests that a host, the line or the gateway failed, of all but those that were wrong or beyond a limit of their caller (4xx).',
    unit: 'percentunit',
    width: 8,
    alarms: failedAlarms,
    alerts: ['SloBurnFast'],
    targets: [{ expr: failedShare(), legend: 'failed' }],
  },
  {
    kind: 'lines',
    title: 'Failovers',
    description:
      'Requests moved to another connection or host before anything had been sent to the client: phase connect, reused_socket, refused (busy, no such model) or pre_token (failed before any content), and what came of it.',
    unit: requestsPerSecond,
    width: 8,
    alerts: ['HostErrors'],
    targets: [
      { expr: rate('failovers_total', { follow: model, by: ['phase', 'result'] }), legend: '{{phase}} {{result}}' },
    ],
  },
  {
    kind: 'lines',
    title: 'Answers that broke off',
    description:
      'Answers that broke off after their beginning, by streams that had content. The client is told by an error in its stream.',
    unit: 'percentunit',
    width: 8,
    alarms: failedAlarms,
    alerts: ['StreamTruncations'],
    targets: [
      {
        expr: `${broken} / (${streamsWithContent} > 0 or ${broken} > 0)`,
        legend: 'broken off',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Where token counts come from',
    description:
      'reported: the host’s own usage; counted: frames counted by the gateway, a floor; estimated: by size. Much of the latter two means that the token figures are too low. rejected: usage that could not be believed, or not all of it; bad frames: pieces of streams that were no JSON.',
    unit: requestsPerSecond,
    width: 8,
    alerts: ['TokenCountUntrusted'],
    targets: [
      { expr: rate('usage_source_total', { follow: host, by: ['source'] }), legend: '{{source}}' },
      { expr: rate('usage_rejected_total', { follow: host }), legend: 'rejected' },
      { expr: rate('bad_frames_total', { follow: host }), legend: 'bad frames' },
    ],
  },
]

export const reliability: readonly Panel[] = [...ends, ...objectivesOverTime]
