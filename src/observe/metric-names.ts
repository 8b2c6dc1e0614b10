/** Every metric of the gateway: name, type, labels, buckets and meaning. README, rules and dashboards are tested against this table. */
import { gatewayMetrics } from './definitions/gateway.ts'
import { hostMetrics } from './definitions/hosts.ts'
import { limitMetrics } from './definitions/limits.ts'
import { lineMetrics } from './definitions/line.ts'
import { requestMetrics } from './definitions/requests.ts'
import { routingMetrics } from './definitions/routing.ts'
import { sharingMetrics } from './definitions/sharing.ts'
import { tokenMetrics } from './definitions/tokens.ts'

export type { MetricDefinition } from './definitions/definition.ts'

export const metricPrefix = 'lmx_gateway_'

/** Keyed by the name without its prefix. */
export const metricDefinitions = {
  ...requestMetrics,
  ...tokenMetrics,
  ...lineMetrics,
  ...limitMetrics,
  ...hostMetrics,
  ...routingMetrics,
  ...gatewayMetrics,
  ...sharingMetrics,
} as const

export type MetricName = keyof typeof metricDefinitions
