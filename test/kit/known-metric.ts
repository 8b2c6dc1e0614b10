/** Guards what tests ask of the metrics: a name that the gateway does not have would be a sum of 0 for ever. */
import { type MetricDefinition, metricDefinitions } from '../../src/observe/metric-names.ts'

const definitions: Readonly<Record<string, MetricDefinition>> = metricDefinitions

/** The name as it was given. Throws where no series can bear it. */
export function known(name: string): string {
  const histogram = /^(.*)_(?:bucket|sum|count)$/.exec(name)?.[1]
  if (definitions[name]?.type === 'counter' || definitions[name]?.type === 'gauge') return name
  if (histogram !== undefined && definitions[histogram]?.type === 'histogram') return name
  throw new Error(`the gateway has no metric lmx_gateway_${name}`)
}
