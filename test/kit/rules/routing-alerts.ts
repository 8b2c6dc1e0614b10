/** Alerts on the choice of hosts: models that take turns in memory, loads that fail or drag, predictions that are not true. */
import type { Alert } from './rule-shapes.ts'

const place = 'sum by (job, host, model)'

export const routingAlerts: readonly Alert[] = [
  {
    alert: 'LoadThrash',
    // Half of an eviction below three: increase() guesses a little at the edges of its window.
    expr: 'sum by (job, host) (increase(lmx_gateway_model_evictions_total[30m])) > 2.5',
    severity: 'ticket',
    summary: 'Models take turns in the memory of host {{ $labels.host }}.',
    description:
      '{{ printf "%.0f" $value }} models were put out of the memory of host {{ $labels.host }} within 30 minutes.',
    runbook: {
      means:
        'requests for several models share a host that does not hold all of them: each turn costs a load, in which the host answers nobody.',
      look: 'models in memory, loads and evictions of the host on the board; `GET /admin/models` for who asks for which.',
      act: 'give one of the models another host, or leave one out of `hosts[].models`; raise `hosts[].modelsLoadedMax` where there is memory; longer turns (`models.residency`) make fewer of them.',
    },
  },
  {
    alert: 'LoadFails',
    expr: `${place} (increase(lmx_gateway_model_loads_total{result!="ok"}[15m])) > 1.5`,
    severity: 'ticket',
    summary: 'Host {{ $labels.host }} does not load {{ $labels.model }}.',
    description:
      '{{ printf "%.0f" $value }} loads of {{ $labels.model }} at host {{ $labels.host }} came to nothing within 15 minutes.',
    runbook: {
      means:
        'the host could not load the model (failed), would not (refused), or did not end with it in time (lost); it is tried again after growing pauses, and requests go to other hosts or wait.',
      look: '`lmx_gateway_model_loads_total` of the host by result, its memory, and its log; the log of the gateway names each load.',
      act: 'free memory at the host, or take a smaller model or quantisation; for lost loads a longer `relay.loadMsMax`; take the model out of its list where it cannot work.',
    },
  },
  {
    alert: 'SlowLoad',
    expr: `
${place} (increase(lmx_gateway_model_load_duration_seconds_sum[30m]))
  / (${place} (increase(lmx_gateway_model_load_duration_seconds_count[30m])) > 0)
> 3 * histogram_quantile(0.5, sum by (le, job, host, model) (increase(lmx_gateway_model_load_duration_seconds_bucket[7d])))
and ${place} (increase(lmx_gateway_model_load_duration_seconds_count[7d])) > 5`,
    severity: 'info',
    summary: 'Host {{ $labels.host }} loads {{ $labels.model }} slowly.',
    description:
      'The last loads of {{ $labels.model }} at host {{ $labels.host }} took {{ humanizeDuration $value }}, more than three times the median of 7 days.',
    runbook: {
      means:
        'the model comes from a slow disk or network, or the machine is swapping. It speaks once there are more than five loads to compare with.',
      look: 'time of a load on the board over 7 days; disk, network and memory of the machine.',
      act: 'keep the files of models on a local disk; end what fills its memory; see whether the model was replaced by a larger one.',
    },
  },
  {
    alert: 'PrefixPredictionWrong',
    expr: `
sum by (job, host) (increase(lmx_gateway_prefix_cached_tokens_total[1h]))
  / (sum by (job, host) (increase(lmx_gateway_prefix_predicted_tokens_total[1h])) > 100000)
< 0.5`,
    for: '15m',
    severity: 'info',
    summary: 'Host {{ $labels.host }} keeps less of prompts than is counted on.',
    description:
      'Of the tokens that host {{ $labels.host }} was expected to have in its cache it had {{ humanizePercentage $value }} within the last hour.',
    runbook: {
      means:
        'requests are sent to a host for what it has read before, and it reads much of it again: its cache is smaller than what it is sent, off, or shared with other clients.',
      look: 'predicted and real prefixes of the host on the board; `lmx-gateway why` of a request with the reason `prefix`.',
      act: 'give the cache of the server more room; lower `balancing.prefixes.perHostMax`; with a host that keeps nothing, nothing at all: predictions learn to be worth less.',
    },
  },
  {
    alert: 'HostSignalStale',
    expr: `
max by (job, host) (lmx_gateway_host_telemetry_age_seconds) > 300
and on (job, host) min by (job, host) (lmx_gateway_host_up) == 1`,
    for: '5m',
    severity: 'info',
    summary: 'Host {{ $labels.host }} no longer says how busy it is.',
    description:
      'The last word of host {{ $labels.host }} on its load is {{ humanizeDuration $value }} old, though it answers its probes.',
    runbook: {
      means:
        'what others than the gateway have the host do is no longer seen when hosts are chosen; nothing else depends on it.',
      look: '`GET /admin/hosts`; the metrics of the server by hand (LMX: `/admin/metrics`, with its admin key).',
      act: 'see whether the server was started without its metrics, or with another admin key (`hosts[].adminKey`).',
    },
  },
]
