/** Every series that a board may ask for: ours from the table, those of the process and of LMX from a scrape, recorded ones from the rules. */

import { type MetricDefinition, metricDefinitions, metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { expositionText } from '../exposition-text.ts'
import { startLmxDouble } from '../lmx-double/lmx-double.ts'
import { ruleFiles } from '../rules/rule-files.ts'
import { ScriptedSources } from '../scripted-sources.ts'
import type { KnownSeries } from './promql-problems.ts'

const histogramParts = ['_bucket', '_sum', '_count']

export async function knownSeries(): Promise<Map<string, KnownSeries>> {
  const body = expositionText(await createMetrics(new ScriptedSources()).render())
  return new Map([
    ...Object.entries<MetricDefinition>(metricDefinitions).flatMap(([name, { type, labels }]) =>
      seriesOf(metricPrefix + name, type, [...labels, 'replica']),
    ),
    ...scraped(body, /^# TYPE ((?:process|nodejs)_\S+) (\S+)$/gm, ['replica']),
    // Prometheus adds `host` to what it scrapes of LMX: see grafana/prometheus.yml.
    ...scraped(await lmxExposition(), /^# TYPE (lmx_\S+) (\S+)$/gm, ['host']),
    ...recorded(),
  ])
}

/** The metric that a series is of, without our prefix. */
export function metricOf(series: string): string {
  const name = series.slice(metricPrefix.length)
  const part = histogramParts.find((end) => name.endsWith(end) && name.slice(0, -end.length) in metricDefinitions)
  return part === undefined ? name : name.slice(0, -part.length)
}

type Entry = [name: string, series: KnownSeries]

function seriesOf(name: string, type: string, labels: readonly string[]): Entry[] {
  if (type === 'histogram') return histogramParts.map((part) => [name + part, { type: 'counter', labels }])
  return [[name, { type: type === 'counter' ? 'counter' : 'gauge', labels }]]
}

function scraped(text: string, typeLine: RegExp, labels: readonly string[]): Entry[] {
  return [...text.matchAll(typeLine)].flatMap(([, name = '', type = '']) => seriesOf(name, type, labels))
}

async function lmxExposition(): Promise<string> {
  const double = await startLmxDouble()
  try {
    const response = await fetch(`${double.url}/admin/metrics`)
    return await response.text()
  } finally {
    await double.stop()
  }
}

function recorded(): Entry[] {
  const rules = ruleFiles().flatMap(({ groups }) => groups.flatMap((group) => group.rules))
  return rules.flatMap((rule) => {
    if (!('record' in rule)) return []
    const name = String(rule.record)
    return [[name, { type: 'gauge', labels: levelOf(name).split('_') }] as Entry]
  })
}

/** The level in front of a recorded name says which labels it has: `host_model`. */
function levelOf(record: string): string {
  return record.slice(0, record.indexOf(':'))
}
