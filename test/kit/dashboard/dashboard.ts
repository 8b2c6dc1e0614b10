/** The dashboard: its name, variables and rows. `test/bin/make-dashboard.ts` writes it to `grafana/`. */

import { dashboardJson, type Row, type Variable } from './grafana-json.ts'
import { errors, gateway, hosts } from './health-panels.ts'
import { line } from './line-panels.ts'
import { latency, now, throughput } from './speed-panels.ts'

const variables: readonly Variable[] = [
  { name: 'host', label: 'Host', query: 'label_values(lmx_gateway_host_up, host)' },
  { name: 'model', label: 'Model', query: 'label_values(lmx_gateway_tokens_total, model)' },
]

const rows: readonly Row[] = [
  { title: 'Now', panels: now },
  { title: 'Latency', panels: latency },
  { title: 'Throughput', panels: throughput },
  { title: 'The line', panels: line },
  { title: 'Hosts', panels: hosts },
  { title: 'Errors', panels: errors },
  { title: 'Gateway', panels: gateway },
]

/** Relative to the repository. */
export const dashboardPath = 'grafana/dashboards/lmx-gateway.json'

export function dashboard() {
  const about = 'Queueing, speed and health of self-hosted inference hosts behind LMX gateway.'
  return dashboardJson('LMX gateway', about, variables, rows)
}
