/** Alerts on several gateways before the same hosts: none has anything to say where one stands alone. */
import { type Alert, job } from './rule-shapes.ts'

/** What a request waits for Redis is a tenth of this where both stand in one room. */
export const redisSlowSeconds = 0.01

const waitedFor = (outcomes: string) => `sum by (job) (rate(lmx_gateway_redis_calls_total{outcome=~"${outcomes}"}[5m]))`

export const sharingAlerts: readonly Alert[] = [
  {
    alert: 'SharingDegraded',
    expr: 'max by (job, replica) (lmx_gateway_sharing_degraded) == 1',
    for: '1m',
    severity: 'ticket',
    summary: 'The gateway {{ $labels.replica }} does not share limits and slots with the others.',
    description:
      'For a minute {{ $labels.replica }} has kept to its share by itself, and hears of no key that is made, changed or revoked elsewhere.',
    runbook: {
      means:
        'Redis is not there for it: requests are served by shares (what is allowed, divided by the gateways last seen), changes of keys are refused, and rows of the ledger wait in SQLite.',
      look: '`GET /admin/replicas` and the log, which say why; whether it is one gateway (its network, its password) or all (Redis itself).',
      act: 'repair Redis or the way to it; everything else comes back by itself. To make a key invalid at once, stop sharing gateways that cannot hear of it.',
    },
  },
  {
    alert: 'ReplicaGone',
    expr: 'max by (job) (increase(lmx_gateway_replicas_gone_total{how="missed"}[15m])) > 0.5',
    severity: 'ticket',
    summary: 'A gateway of the fleet was lost.',
    description:
      'Within 15 minutes {{ printf "%.0f" $value }} gateways were not heard any more without having said that they stop.',
    runbook: {
      means:
        'the process was killed, its machine or its way to Redis is gone, or its event loop stood still for longer than `storage.redis.goneAfterMs`; what it held of hosts and limits is free again.',
      look: '`GET /admin/replicas`; GatewayDown; the last lines of its log; `lmx_gateway_event_loop_delay_seconds`.',
      act: 'start it again. One that stops in order (SIGTERM) is no loss and is not told here.',
    },
  },
  {
    alert: 'ReplicaVersions',
    expr: 'count by (job) (count by (job, version) (lmx_gateway_build_info{replica!=""})) > 1',
    for: '1h',
    severity: 'info',
    summary: 'Gateways of one fleet are of different versions.',
    description: '{{ printf "%.0f" $value }} versions have run beside each other for an hour.',
    runbook: {
      means:
        'an update stopped half-way, or one gateway was forgotten; they work together, but are tested only with their own kind.',
      look: 'the panel Versions, `GET /admin/replicas`.',
      act: 'finish the update, one gateway after the other.',
    },
  },
  {
    alert: 'ReplicaNotScraped',
    expr: `
max by (job) (lmx_gateway_replicas)
  > count by (job) (lmx_gateway_build_info{replica!=""})`,
    for: '15m',
    severity: 'ticket',
    summary: 'Not every gateway of the fleet is scraped.',
    description:
      'For 15 minutes the gateways have seen {{ printf "%.0f" $value }} of themselves, more than Prometheus has.',
    runbook: {
      means:
        'every figure that is added up over gateways lacks one of them; or a gateway that nobody means to run has joined the fleet.',
      look: '`GET /admin/replicas` beside the page Targets of Prometheus.',
      act: `add its admin listener to the job \`${job}\`, or stop it; give another fleet another \`storage.redis.fleet\`.`,
    },
  },
  {
    alert: 'RedisSlow',
    expr: `
histogram_quantile(0.99, sum by (le, job) (rate(lmx_gateway_redis_call_seconds_bucket[5m]))) > ${redisSlowSeconds}
and sum by (job) (rate(lmx_gateway_redis_call_seconds_count[5m])) > 1`,
    for: '10m',
    severity: 'ticket',
    summary: 'Redis is slow.',
    description: 'For 10 minutes one call of a hundred has taken longer than 10 ms: {{ humanizeDuration $value }} now.',
    runbook: {
      means:
        'every request waits so long for its limits and its slot; beyond `storage.redis.answerMsMax` gateways decide by themselves.',
      look: 'p99 by gateway and kind: one gateway (its network, its processor) or all; `redis-cli --latency`, `SLOWLOG GET`, other users of the same Redis, persistence on a slow disk.',
      act: 'give the fleet a Redis of its own, near the gateways, without swapping.',
    },
  },
  {
    alert: 'RedisFails',
    expr: `
${waitedFor('timeout|error')}
  / (${waitedFor('ok|timeout|error')} > 0) > 0.01
and sum by (job) (increase(lmx_gateway_redis_calls_total{outcome=~"timeout|error"}[5m])) > 5`,
    for: '5m',
    severity: 'ticket',
    summary: 'Redis fails calls of the gateways.',
    description: 'For 5 minutes {{ humanizePercentage $value }} of the calls were refused or not answered in time.',
    runbook: {
      means:
        'such a call costs its request `storage.redis.answerMsMax` at the most, and is decided by the gateway’s share of the limits.',
      look: 'the log, which names what Redis says: out of memory, read-only, no permission; else its load and the network.',
      act: 'do what the log says; a Redis of the fleet wants `maxmemory-policy noeviction` and room for its keys.',
    },
  },
  {
    alert: 'KeysStale',
    expr: `
max by (job, replica) (lmx_gateway_key_mirror_age_seconds) > 10
unless on (job, replica) max by (job, replica) (lmx_gateway_sharing_degraded) == 1`,
    for: '1m',
    severity: 'ticket',
    summary: 'The gateway {{ $labels.replica }} does not hear of changed keys.',
    description: 'For {{ humanizeDuration $value }} {{ $labels.replica }} has not seen that its keys are those of all.',
    runbook: {
      means: 'Redis is there, and the keys cannot be read from it: one that was revoked is still good at this gateway.',
      look: 'the log of that gateway; the permissions of its user of Redis.',
      act: 'let it read and listen (`~lmx-gateway:*`, `&lmx-gateway:*`); restart it where its log says nothing.',
    },
  },
  {
    alert: 'UsageNotHandedOver',
    expr: 'max by (job, replica) (lmx_gateway_usage_hand_over_lag_seconds) > 60',
    for: '5m',
    severity: 'ticket',
    summary: 'The gateway {{ $labels.replica }} does not give its ledger to the others.',
    description:
      'The oldest row of {{ $labels.replica }} that the others do not have has waited for {{ humanizeDuration $value }}.',
    runbook: {
      means:
        'reports of usage differ between gateways, and limits of a day or month miss these rows where Redis is emptied. Nothing is lost: they are in SQLite.',
      look: 'SharingDegraded, the log, `lmx_gateway_usage_hand_over_waiting_rows`, memory of Redis.',
      act: 'repair what the log names; the rows follow by themselves.',
    },
  },
  {
    alert: 'UsageRowsMissed',
    expr: 'sum by (job, replica) (increase(lmx_gateway_usage_rows_missed_total[15m])) > 0',
    severity: 'ticket',
    summary: 'The ledger of the gateway {{ $labels.replica }} lacks rows of the others.',
    description:
      'About {{ printf "%.0f" $value }} rows were gone from Redis before {{ $labels.replica }} took them in.',
    runbook: {
      means:
        'it was away, or could not write its ledger, for longer than Redis keeps rows: its reports of usage are too low for that time, those of the others are whole.',
      look: 'how long it was away; StoreErrors.',
      act: 'ask another gateway for usage of that time.',
    },
  },
]
