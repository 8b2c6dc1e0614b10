/** What is marked in every panel of a board, since it explains what the lines do then. */

import { ofProcess } from './promql.ts'

export interface Annotation {
  readonly name: string
  /** Something where it is the case, and nothing where it is not: Grafana leaves out a value of 0. */
  readonly expr: string
  /** Grafana's template of its text, `{{label}}`. */
  readonly text: string
  readonly color: string
}

export const annotations: readonly Annotation[] = [
  {
    name: 'Host down',
    expr: 'max by (host) (1 - lmx_gateway_host_up{host=~"$host"}) > 0',
    text: '{{host}} does not answer its probes',
    color: 'red',
  },
  {
    name: 'Host ejected',
    expr: 'max by (host) (lmx_gateway_host_circuit_open{host=~"$host"}) > 0',
    text: '{{host}} gets no requests: they failed one after the other',
    color: 'orange',
  },
  {
    name: 'Model without a host',
    expr: '1 - min by (model) (lmx_gateway_model_hosts_up{model=~"$model"}) > 0',
    text: 'no host is up for {{model}}',
    color: 'dark-red',
  },
  {
    name: 'Gateway started',
    expr: ofProcess('(time() - process_start_time_seconds < 60)'),
    text: '{{instance}} started',
    color: 'blue',
  },
]
