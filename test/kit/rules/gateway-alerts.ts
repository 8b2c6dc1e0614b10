/** Alerts on the gateway itself: whether it is there and scraped, short of something, or has lost something. */
import { type Alert, job } from './rule-shapes.ts'

export const gatewayAlerts: readonly Alert[] = [
  {
    alert: 'GatewayDown',
    expr: `up{job="${job}"} == 0`,
    for: '1m',
    severity: 'page',
    summary: 'The gateway at {{ $labels.instance }} does not answer.',
    description: 'Prometheus could not scrape {{ $labels.instance }} for a minute.',
    runbook: {
      means:
        'the process is gone, its event loop is stuck, or Prometheus may not read `/metrics` (token, `admin.hostNames`, `metrics.enabled`).',
      look: 'the target’s error on the page Targets of Prometheus; `curl` of `/healthz`; the last lines of the log.',
      act: 'start it; it says why it cannot.',
    },
  },
  {
    alert: 'ScrapeMissing',
    expr: `absent(up{job="${job}"})`,
    for: '10m',
    severity: 'ticket',
    summary: `Prometheus has no target of the job ${job}.`,
    description: `No gateway is scraped as job ${job}: no other alert here can speak.`,
    runbook: {
      means: `the scrape configuration has no job \`${job}\`, or one without targets.`,
      look: '`promtool check config`, and the page Targets of Prometheus.',
      act: `name the job \`${job}\` as in \`grafana/prometheus.yml\`.`,
    },
  },
  {
    alert: 'GatewayRestarts',
    expr: `changes(process_start_time_seconds{job="${job}"}[30m]) > 2`,
    severity: 'ticket',
    summary: 'The gateway at {{ $labels.instance }} starts again and again.',
    description: 'It was started {{ printf "%.0f" $value }} times within 30 minutes.',
    runbook: {
      means:
        'it crashes, is killed (memory), or a supervisor restarts it; each time, waiting and streaming requests are lost.',
      look: 'the last lines of the log before each start; `dmesg` or the supervisor for kills.',
      act: 'lower `queue.bytesMax` or give it memory where it was killed; report a crash with its lines.',
    },
  },
  {
    alert: 'GatewayOverloaded',
    expr: 'lmx_gateway_overload_stage > 0',
    for: '2m',
    severity: 'ticket',
    summary: 'The gateway at {{ $labels.instance }} is short of memory or processor time.',
    description: 'Stage {{ printf "%.0f" $value }} for 2 minutes: 1 lets nobody new wait, 2 refuses newcomers.',
    runbook: {
      means: 'newcomers get 503 `overloaded`; what runs goes on.',
      look: 'memory, event-loop lag, bodies held, open streams and connections of the process.',
      act: 'give it memory or a core of its own; find the client that holds many large bodies or reads slowly.',
    },
  },
  {
    alert: 'ConfigReloadFailed',
    expr: 'lmx_gateway_config_last_reload_success == 0',
    for: '5m',
    severity: 'ticket',
    summary: 'The gateway at {{ $labels.instance }} did not take its changed configuration.',
    description:
      'For 5 minutes the configuration of {{ $labels.instance }} has been one that it could not take; it works by the one before.',
    runbook: {
      means: 'the file was changed and has a mistake; nothing of the change holds, and a restart would fail.',
      look: 'the log, which names each problem and its line; `lmx-gateway check-config`.',
      act: 'mend the file: it is read again when it changes, on SIGHUP, and by `POST /admin/config/reload`.',
    },
  },
  {
    alert: 'UsageRowsLost',
    expr: 'increase(lmx_gateway_usage_rows_lost_total[15m]) > 0',
    severity: 'ticket',
    summary: 'The gateway at {{ $labels.instance }} lost rows of its ledger.',
    description: 'About {{ printf "%.0f" $value }} requests of the last 15 minutes are missing in the ledger.',
    runbook: {
      means:
        'the ledger could not be written for so long that rows had to be dropped: usage and limits of a day or month are too low.',
      look: 'StoreErrors, `lmx_gateway_ledger_pending_rows`, free space and health of the disk.',
      act: 'make room; the log holds the requests, one line each.',
    },
  },
  {
    alert: 'StoreErrors',
    expr: 'increase(lmx_gateway_store_errors_total[15m]) > 0',
    for: '1m',
    severity: 'ticket',
    summary: 'The gateway at {{ $labels.instance }} cannot write its ledger.',
    description:
      'About {{ printf "%.0f" $value }} batches of the last 15 minutes could not be written; each is tried again.',
    runbook: {
      means: 'the file of the ledger cannot be written: disk full, read-only, or held by another program.',
      look: 'the log (it names the error), free space, `lmx_gateway_ledger_pending_rows`.',
      act: 'make room or end the other program; nothing is lost until UsageRowsLost says so.',
    },
  },
  {
    alert: 'LogDropped',
    expr: 'increase(lmx_gateway_log_dropped_total[15m]) > 0',
    severity: 'info',
    summary: 'The gateway at {{ $labels.instance }} dropped lines of its log.',
    description: 'About {{ printf "%.0f" $value }} lines of the last 15 minutes: their reader does not keep up.',
    runbook: {
      means: 'whatever reads stderr is slower than the log; requests do not wait for it.',
      look: 'the process behind the pipe.',
      act: 'write to a file, or raise the log’s level.',
    },
  },
  {
    alert: 'OtlpDropped',
    expr: 'increase(lmx_gateway_otlp_dropped_total[15m]) > 0',
    for: '5m',
    severity: 'info',
    summary: 'An OTLP receiver does not take {{ $labels.signal }} of the gateway at {{ $labels.instance }}.',
    description: 'About {{ printf "%.0f" $value }} were dropped within 15 minutes.',
    runbook: {
      means: 'spans or batches of metrics are lost; requests and `/metrics` are not touched.',
      look: 'the log (it names the answer of the receiver), `otlp.endpoint`, `otlp.headers`.',
      act: 'repair the receiver, or lower `otlp.sampleRatio`.',
    },
  },
  {
    alert: 'SeriesFolded',
    expr: 'increase(lmx_gateway_metrics_series_folded_total[15m]) > 0',
    severity: 'ticket',
    summary: 'The gateway at {{ $labels.instance }} has more series than it may.',
    description: 'New models, hosts and keys are counted under the label other since the series budget is spent.',
    runbook: {
      means: '`metrics.seriesMax` is reached; figures of newcomers are added up in `other`.',
      look: '`lmx_gateway_metric_series`, and how many keys, models and hosts there are.',
      act: 'raise `metrics.seriesMax`; revoke keys that nobody uses and restart.',
    },
  },
]
