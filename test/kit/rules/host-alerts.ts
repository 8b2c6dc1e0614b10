/** Alerts on hosts: whether they are there, what fails at them, how fast they are, and whether they count tokens. */
import type { Alert } from './rule-shapes.ts'

/** The host says that it has no room, which is no fault. */
const busy = 'upstream_busy|model_loading'
/** Each of several gateways knows the slots that all may hold together: they are not added up. */
const slots = (of: string) => `max by (job, host) (${of})`

export const hostAlerts: readonly Alert[] = [
  {
    alert: 'HostDown',
    expr: `
min by (job, host) (lmx_gateway_host_up) == 0
unless on (job, host) max by (job, host) (lmx_gateway_host_paused) == 1`,
    for: '2m',
    severity: 'ticket',
    summary: 'Host {{ $labels.host }} is down.',
    description: 'Host {{ $labels.host }} has not answered the probes of the gateway for 2 minutes.',
    runbook: {
      means:
        'the host cannot be reached or does not answer its probe; it gets no requests. One that is paused does not count.',
      look: '`problem` in `GET /admin/hosts`; `curl` the URL of the host from the machine of the gateway.',
      act: 'start the server, or wake the machine (a Mac that sleeps looks like this); pause the host where it is down on purpose.',
    },
  },
  {
    alert: 'CircuitOpen',
    expr: 'max by (job, host) (lmx_gateway_host_circuit_open) == 1',
    for: '5m',
    severity: 'ticket',
    summary: 'Host {{ $labels.host }} answers probes but fails requests.',
    description: 'Host {{ $labels.host }} has been ejected for 5 minutes: its requests failed one after the other.',
    runbook: {
      means: 'probes are answered, requests are not; the host is tried again after growing pauses.',
      look: '`lmx_gateway_host_errors_total` of the host by reason, and its log.',
      act: 'send it a request by hand; restart the server or load the model anew.',
    },
  },
  {
    alert: 'HostErrors',
    expr: `
sum by (job, host, reason) (rate(lmx_gateway_host_errors_total{reason!~"${busy}"}[5m]))
  / on (job, host) group_left () ${attempts('5m')} > 0.05
and sum by (job, host, reason) (increase(lmx_gateway_host_errors_total[5m])) > 3`,
    for: '2m',
    severity: 'ticket',
    summary: 'Host {{ $labels.host }} fails requests: {{ $labels.reason }}.',
    description:
      '{{ humanizePercentage $value }} of the attempts at host {{ $labels.host }} led to {{ $labels.reason }}.',
    runbook: {
      means:
        'attempts at the host fail; others may have served the requests. `upstream_bad_response` is also what a failure is that LMX writes into the text of an answer.',
      look: 'errors by host and reason, failovers by result; the log at level `debug` tells what the host said.',
      act: 'by reason: `upstream_auth_failed` wants `hosts[].apiKey`, `upstream_tls_error` `hosts[].ca`, `upstream_timeout` and `upstream_stalled` a look at its load and memory; the rest is in the log of the host.',
    },
  },
  {
    alert: 'HostBusy',
    expr: `
sum by (job, host) (rate(lmx_gateway_host_errors_total{reason=~"${busy}"}[15m]))
  / ${attempts('15m')} > 0.2
and sum by (job, host) (increase(lmx_gateway_host_errors_total{reason=~"${busy}"}[15m])) > 10`,
    for: '15m',
    severity: 'info',
    summary: 'Host {{ $labels.host }} refuses much of what it is sent.',
    description:
      '{{ humanizePercentage $value }} of the attempts at host {{ $labels.host }} were told that it is busy.',
    runbook: {
      means: 'the host has less room than the gateway believes, or serves others beside it.',
      look: 'slots in use against their limit, `lmx_gateway_host_limit_changes_total` with reason `busy`.',
      act: 'set `hosts[].slots` to what the server really runs in parallel, or send all of its clients through the gateway.',
    },
  },
  {
    alert: 'HostLimitLow',
    expr: `
${slots('lmx_gateway_host_concurrency_limit')}
  < 0.5 * ${slots('max_over_time(lmx_gateway_host_concurrency_limit[1d])')}
and sum by (job, host) (lmx_gateway_host_inflight) >= ${slots('lmx_gateway_host_concurrency_limit')}
and min by (job, host) (lmx_gateway_host_up) == 1`,
    for: '15m',
    severity: 'ticket',
    summary: 'Host {{ $labels.host }} has less than half of its slots, and all of them are taken.',
    description:
      'Host {{ $labels.host }} has {{ printf "%.0f" $value }} slots, less than half of what it had within a day.',
    runbook: {
      means: 'the host became too slow for its slots, or said that it was busy, and does not recover.',
      look: '`lmx_gateway_host_limit_changes_total` by reason: `tpot` and `ttft` are speed (objectives in `slo`), `busy` is the host.',
      act: 'look for other work on that machine, for heat and for swapping; set `slo` to what the machine can do at all.',
    },
  },
  {
    alert: 'DecodeSlow',
    // More answers at once make each slower, whatever their model: only the same or a smaller batch is compared.
    expr: `
host_model:lmx_gateway_stream_tokens_per_second:rate5m
  < 0.5 * quantile_over_time(0.5, host_model:lmx_gateway_stream_tokens_per_second:rate5m[7d])
and on (job, host)
  host:lmx_gateway_mean_batch:rate5m
    <= 1.25 * quantile_over_time(0.5, host:lmx_gateway_mean_batch:rate5m[7d])
and count_over_time(host_model:lmx_gateway_stream_tokens_per_second:rate5m[7d]) > 240`,
    for: '15m',
    severity: 'ticket',
    summary: 'Host {{ $labels.host }} generates {{ $labels.model }} at less than half of its usual speed.',
    description:
      'Streams of {{ $labels.model }} at host {{ $labels.host }} get {{ printf "%.1f" $value }} tokens per second, less than half of the median of 7 days, with no more answers at once than usual.',
    runbook: {
      means:
        'the machine is slower than it was at the same load. It speaks once there is an hour of generation to compare with.',
      look: 'decode speed and mean batch of the host over 7 days; stalls; memory and temperature of the machine.',
      act: 'end other work on it, restart the server, see whether its model, quantisation or context changed.',
    },
  },
  {
    alert: 'TokenCountUntrusted',
    expr: `
1 - host:lmx_gateway_usage_reported:ratio1h > 0.2
and sum by (job, host) (increase(lmx_gateway_usage_source_total[1h])) > 50`,
    for: '15m',
    severity: 'info',
    summary: 'Host {{ $labels.host }} does not report its tokens.',
    description:
      'Of {{ humanizePercentage $value }} of the answers of host {{ $labels.host }} the tokens were counted or estimated by the gateway.',
    runbook: {
      means: 'token figures and bills of this host rest on frames (a frame may hold several tokens) and on sizes.',
      look: '`lmx_gateway_usage_source_total` and `lmx_gateway_usage_rejected_total` of the host; broken streams carry no usage either.',
      act: 'update the server, or turn its usage report on (`stream_options.include_usage`, which the gateway asks for).',
    },
  },
]

/** At each host. */
function attempts(window: string): string {
  return `sum by (job, host) (rate(lmx_gateway_host_attempts_total[${window}]))`
}
