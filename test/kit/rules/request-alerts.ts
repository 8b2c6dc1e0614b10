/** Alerts on what callers meet: models without a host, waits, broken streams, limits. */
import { type QueueOptions, queueOptions } from '../../../src/queue/options.ts'
import { queueRules } from '../../../src/queue/rules.ts'
import type { Alert } from './rule-shapes.ts'

export const requestAlerts: readonly Alert[] = [
  {
    alert: 'AllHostsOfModelDown',
    expr: 'min by (job, model) (lmx_gateway_model_hosts_up) == 0',
    for: '1m',
    severity: 'page',
    summary: 'No host serves {{ $labels.model }}.',
    description: 'Every host that had {{ $labels.model }} is down, paused or ejected, or lists it no more.',
    runbook: {
      means: 'requests for this model are refused with 503 `no_upstream_available`.',
      look: '`GET /admin/hosts` (up, paused, ejected, models) and the log of the hosts.',
      act: 'start the host or load the model there; resume a host that is paused; give the name another host with `models.aliases`.',
    },
  },
  {
    alert: 'NoCapacityForModel',
    expr: `
sum by (job, model) (lmx_gateway_queue_depth{model!="other"}) > 0
unless on (job, model) min by (job, model) (lmx_gateway_model_hosts_up) > 0
or
sum by (job, model) (lmx_gateway_queue_depth{model!="other"}) > 0
and on (job, model) min by (job, model) (lmx_gateway_model_hosts_resident) == 0
unless on (job, model) max by (job, model) (lmx_gateway_model_hosts_loading) > 0`,
    for: '2m',
    severity: 'page',
    summary: 'Requests wait for {{ $labels.model }}, and no host could take them.',
    description:
      '{{ printf "%.0f" $value }} requests wait for {{ $labels.model }}, which no host serves now: none is up that has it, or none has it in memory and none loads it.',
    runbook: {
      means:
        'the line holds requests that nothing can serve until a host returns, or until one comes to load the model; they end by their patience.',
      look: '`GET /admin/queue` and `GET /admin/hosts`; models in memory on the board: a host that is kept busy with another model loads this one later.',
      act: 'as for AllHostsOfModelDown; give a model that is left waiting a host of its own, or shorter turns to the others (`models.residency`); requests that wait in vain can be cancelled in the admin API.',
    },
  },
  {
    alert: 'QueueStanding',
    expr: standing(queueOptions.parse({})),
    for: '5m',
    severity: 'ticket',
    summary: 'The line for {{ $labels.model }} ({{ $labels.class }}) stands.',
    description:
      'For 5 minutes the oldest request of class {{ $labels.class }} has waited longer than half of its patience: {{ humanizeDuration $value }} now.',
    runbook: {
      means:
        'more is asked for than the hosts can serve; soon requests are refused (`queue_wait_too_long`, `queue_timeout`). The thresholds are half of the default patience of each class (`queue.waitMsMax`).',
      look: 'depth and oldest age by class, wait by key, slots in use against their limit; `lmx_gateway_queue_paused` is 1 where an operator has paused the line.',
      act: 'more slots or hosts for the model; a key that fills the line gets limits or class `bulk`; resume a line that is paused.',
    },
  },
  {
    alert: 'WaitEstimateWrong',
    expr: `
model:lmx_gateway_wait_estimate_p90_coverage:ratio1h < 0.8
and sum by (job, model) (increase(lmx_gateway_wait_estimate_ratio_count[1h])) > 50`,
    for: '15m',
    severity: 'ticket',
    summary: 'Predicted waits for {{ $labels.model }} are too short.',
    description:
      'Of the waits of the last hour only {{ humanizePercentage $value }} were within what nine of ten should be within.',
    runbook: {
      means: 'callers are told to expect less than they wait, and requests are let in that should have been refused.',
      look: 'the panel of waits by what was told, and whether hosts got slower or lost slots meanwhile (DecodeSlow, HostLimitLow).',
      act: 'none at once: predictions learn from the last waits. Where it stays, report it with a `GET /admin/queue` of that time.',
    },
  },
  {
    alert: 'StreamTruncations',
    expr: `
${brokenPerSecond()}
  / (${streamsPerSecond()} > 0 or ${brokenPerSecond()}) > 0.01
and sum by (job, model) (increase(lmx_gateway_request_outcomes_total{outcome="broken"}[15m])) > 3`,
    for: '2m',
    severity: 'ticket',
    summary: 'Streams of {{ $labels.model }} break off.',
    description:
      '{{ humanizePercentage $value }} of the streams of {{ $labels.model }} broke off after their beginning.',
    runbook: {
      means:
        'hosts end, stall or fail in the middle of answers (outcome `broken`). The client is told by an error in its stream; nothing is repeated after the first content.',
      look: '`lmx_gateway_host_errors_total` by host and reason; lines of the log with `"end":"UD"`.',
      act: 'look into the log of that host: memory, restarts, a proxy with a timeout before it. Pause the host until it is well.',
    },
  },
  {
    alert: 'RateLimitStorm',
    expr: `
sum by (job, key) (rate(lmx_gateway_ratelimit_decisions_total{decision="reject"}[5m]))
  / sum by (job, key) (rate(lmx_gateway_ratelimit_decisions_total[5m])) > 0.5
and sum by (job, key) (increase(lmx_gateway_ratelimit_decisions_total{decision="reject"}[5m])) > 50`,
    for: '2m',
    severity: 'ticket',
    summary: 'Most requests of {{ $labels.key }} are answered 429.',
    description: '{{ humanizePercentage $value }} of the requests of key {{ $labels.key }} were beyond its limits.',
    runbook: {
      means: 'a client asks far beyond its limits, or retries without heeding `retry-after`.',
      look: '`lmx_gateway_ratelimit_decisions_total` of the key by limit, and `lmx-gateway usage` for what it used.',
      act: 'talk to its owner; raise the limit (`lmx-gateway keys`) where the work is wanted; revoke the key where it is not.',
    },
  },
]

function brokenPerSecond(): string {
  return 'sum by (job, model) (rate(lmx_gateway_request_outcomes_total{outcome="broken"}[15m]))'
}

/** Those with content: many whole answers beside them must not hide that streams break off. */
function streamsPerSecond(): string {
  return 'sum by (job, model) (rate(lmx_gateway_time_to_first_token_seconds_count[15m]))'
}

/** Half of the patience of each class, as it is unless configured otherwise. */
function standing(options: QueueOptions): string {
  return Object.entries(queueRules(options).classes)
    .map(([ofClass, { waitMsMax }]) => {
      const age = `max by (job, model, class) (lmx_gateway_queue_oldest_age_seconds{class="${ofClass}"})`
      return `${age} > ${waitMsMax / 2_000}`
    })
    .join('\nor ')
}
