/** Figures that are recorded: speeds, waits and shares in the sense of README's terms. Gateways of one job are added up. */
import type { Recording } from './rule-shapes.ts'

const outputTokens = (window: string) => `rate(lmx_gateway_tokens_total{type="output"}[${window}])`
const place = 'sum by (job, host, model)'
const host = 'sum by (job, host)'
/**
 * The wall seconds in which a host generates are of all names of models together: it makes their answers at once. Those
 * that several gateways see of one host overlap: it rests while it does for each of them, as if they were independent.
 */
const generating = `(1 - exp(${host} (ln(1 - clamp_max(rate(lmx_gateway_host_generating_seconds_total[5m]), 1)))))`

/** A speed is tokens by the seconds they took, never a mean of speeds; without such seconds there is none. */
export const speedRules: readonly Recording[] = [
  // Reasoning is part of the output.
  { record: 'model:lmx_gateway_output_tokens:rate1m', expr: `sum by (job, model) (${outputTokens('1m')})` },
  { record: 'host_model:lmx_gateway_output_tokens:rate1m', expr: `${place} (${outputTokens('1m')})` },
  {
    record: 'key_type:lmx_gateway_tokens:rate5m',
    expr: 'sum by (job, key, type) (rate(lmx_gateway_tokens_total[5m]))',
  },
  {
    record: 'host_model:lmx_gateway_stream_tokens_per_second:rate5m',
    expr: `
${place} (rate(lmx_gateway_decode_tokens_total[5m]))
  / (${place} (rate(lmx_gateway_decode_token_seconds_total[5m])) > 0)`,
  },
  {
    record: 'host:lmx_gateway_busy_tokens_per_second:rate5m',
    expr: `
${host} (${outputTokens('5m')})
  / (${generating} > 0)`,
  },
  {
    record: 'host:lmx_gateway_mean_batch:rate5m',
    expr: `
(
  ${host} (rate(lmx_gateway_decode_seconds_total[5m]))
  + ${host} (rate(lmx_gateway_whole_seconds_total[5m]))
)
  / (${generating} > 0)`,
  },
  {
    record: 'host_model:lmx_gateway_prefill_tokens_per_second:rate5m',
    expr: `
${place} (rate(lmx_gateway_prefill_tokens_total[5m]))
  / (${place} (rate(lmx_gateway_prefill_token_seconds_total[5m])) > 0)`,
  },
]

const ttft = 'lmx_gateway_time_to_first_token_seconds'
const tpot = 'lmx_gateway_time_per_output_token_seconds'
const queueWait = 'lmx_gateway_queue_wait_seconds'

export const latencyRules: readonly Recording[] = [
  ...quantiles([50, 95, 99], ttft),
  ...quantiles([50, 95], tpot),
  ...quantiles([50, 95], queueWait, '{outcome="granted"}'),
]

/** Of each model. Buckets are added up first: quantiles themselves cannot be averaged. None without a value. */
function quantiles(percents: readonly number[], histogram: string, matchers = ''): Recording[] {
  return percents.map((percent) => ({
    record: `model:${histogram}:p${percent}`,
    expr: `
histogram_quantile(
  ${percent / 100},
  sum by (le, job, model) (rate(${histogram}_bucket${matchers}[5m]))
) >= 0`,
  }))
}

/** What the line, a host or the gateway did not serve, or not to the end. */
export const failedOutcomes = 'refused|failed|broken'
/** Answered without the fleet: a storm of them must not make the share of what failed look small. */
export const callersOutcomes = 'caller_error|limited'

const outcomes = (matchers: string) => `sum by (job, model) (rate(lmx_gateway_request_outcomes_total{${matchers}}[5m]))`
const served = 'sum by (job, key) (rate(lmx_gateway_key_service_cost_total[10m]))'
const waited = 'sum by (job, key) (rate(lmx_gateway_key_queue_seconds_total[10m]))'
const waiting = 'sum by (job, key) (lmx_gateway_key_queue_depth)'

export const shareRules: readonly Recording[] = [
  {
    record: 'model:lmx_gateway_cache_hit:ratio15m',
    expr: `
sum by (job, model) (rate(lmx_gateway_tokens_total{type="cached_input"}[15m]))
  / (sum by (job, model) (rate(lmx_gateway_tokens_total{type="input"}[15m])) > 0)`,
  },
  {
    // Not of requests_total, which has the label key: rate() does not see the first request of each of its series.
    record: 'model_outcome:lmx_gateway_request_outcomes:ratio5m',
    expr: `
sum by (job, model, outcome) (rate(lmx_gateway_request_outcomes_total[5m]))
  / on (job, model) group_left ()
  (sum by (job, model) (rate(lmx_gateway_request_outcomes_total[5m])) > 0)`,
  },
  {
    record: 'model:lmx_gateway_failed_requests:ratio5m',
    expr: `
${outcomes(`outcome=~"${failedOutcomes}"`)}
  / (${outcomes(`outcome!~"${callersOutcomes}"`)} > 0)`,
  },
  {
    record: 'model:lmx_gateway_wait_estimate_p90_coverage:ratio1h',
    expr: `
1 - sum by (job, model) (rate(lmx_gateway_wait_estimate_p90_misses_total[1h]))
  / (sum by (job, model) (rate(lmx_gateway_wait_estimate_ratio_count[1h])) > 0)`,
  },
  {
    record: 'host:lmx_gateway_usage_reported:ratio1h',
    expr: `
sum by (job, host) (rate(lmx_gateway_usage_source_total{source="reported"}[1h]))
  / (sum by (job, host) (rate(lmx_gateway_usage_source_total[1h])) > 0)`,
  },
  {
    // One that waited and was served nothing has 0; one that wanted nothing has no figure.
    record: 'key:lmx_gateway_service_cost:rate10m',
    expr: `
(${served} > 0)
  or (${waited} > 0) * 0
  or (${waiting} > 0) * 0`,
  },
  {
    // Jain's index over those keys: 1 where all got the same, 1/n where one of n got everything.
    record: 'job:lmx_gateway_fairness_jain:ratio10m',
    expr: `
sum by (job) (key:lmx_gateway_service_cost:rate10m) ^ 2
  / (
    count by (job) (key:lmx_gateway_service_cost:rate10m)
    * (sum by (job) (key:lmx_gateway_service_cost:rate10m ^ 2) > 0)
  )`,
  },
]
