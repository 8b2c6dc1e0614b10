/** What is said of one metric. */

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
  readonly buckets?: readonly number[]
}

export type Definitions = Readonly<Record<string, MetricDefinition>>
