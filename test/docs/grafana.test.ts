/** The files in grafana/ against the metrics that the gateway really has. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { adminOptions } from '../../src/http/options.ts'
import { type MetricDefinition, metricDefinitions, metricPrefix } from '../../src/observe/metric-names.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { dashboard, dashboardPath } from '../kit/dashboard/dashboard.ts'
import { type KnownSeries, readQuery } from '../kit/dashboard/promql-problems.ts'
import { ScriptedSources } from '../kit/scripted-sources.ts'

interface CommittedPanel {
  type: string
  id: number
  title: string
  description: string
  datasource: unknown
  gridPos: { x: number; y: number; w: number; h: number }
  targets: { refId: string; expr: string; legendFormat: string }[]
  fieldConfig: { defaults: { unit: string } }
}

interface CommittedDashboard {
  panels: CommittedPanel[]
  templating: { list: { name: string; type: string; query: unknown }[] }
}

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const committed = JSON.parse(file(dashboardPath)) as CommittedDashboard
const panels = committed.panels.filter(({ type }) => type !== 'row')
const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))
const parts = ['_bucket', '_sum', '_count']
const known = await knownSeries()

/** Metrics that no panel shows, each with the reason. */
const notShown: Readonly<Record<string, string>> = {}

describe('the dashboard', () => {
  it('is what test/bin/make-dashboard.ts writes', () => {
    expect(committed).toEqual(dashboard())
  })

  it.each(queries)('asks only for what there is, in a way that is right: $title', ({ expr }) => {
    expect(readQuery(expr, known).problems).toEqual([])
  })

  it('shows every metric, or says why not', () => {
    const shown = new Set(queries.flatMap(({ expr }) => readQuery(expr, known).series.map(metricOf)))
    const missing = Object.keys(metricDefinitions).filter((name) => !shown.has(name))
    expect(missing.toSorted()).toEqual(Object.keys(notShown).toSorted())
  })

  it('tells at each panel what it shows and in which unit, from the data source that is chosen', () => {
    for (const panel of panels) {
      expect(panel.title, 'title').not.toBe('')
      expect(panel.description.length, panel.title).toBeGreaterThan(15)
      expect(panel.description, panel.title).toMatch(/\.$/)
      expect(panel.fieldConfig.defaults.unit, panel.title).not.toBe('')
      expect(panel.datasource, panel.title).toEqual({ type: 'prometheus', uid: '${datasource}' })
      expect(panel.targets.length, panel.title).toBeGreaterThan(0)
      expect(new Set(panel.targets.map(({ refId }) => refId)).size, panel.title).toBe(panel.targets.length)
    }
  })

  it('names lines by labels that their query keeps', () => {
    for (const { targets, title } of panels) {
      for (const { expr, legendFormat } of targets) {
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          const kept = expr.includes('sum by') || expr.includes('min by') || expr.includes('max by')
          const grouping = [...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '))
          expect(kept ? grouping : ['instance'], `${title}: ${legendFormat}`).toContain(label)
        }
      }
    }
  })

  it('has seven rows, and no panel over another or beyond the page', () => {
    const rows = committed.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
    expect(rows).toEqual(['Now', 'Latency', 'Throughput', 'The line', 'Hosts', 'Errors', 'Gateway'])
    expect(new Set(committed.panels.map(({ id }) => id)).size).toBe(committed.panels.length)
    const taken = new Map<string, string>()
    for (const { title, gridPos } of committed.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), `${title} at ${x},${y}`).toBeUndefined()
          taken.set(`${x},${y}`, title)
        }
      }
    }
  })

  it('has variables for data source, host and model, fed from labels that exist and used by queries', () => {
    expect(committed.templating.list.map(({ name }) => name)).toEqual(['datasource', 'host', 'model'])
    for (const { name, type, query } of committed.templating.list) {
      if (type !== 'query') continue
      const [, series = '', label = ''] = /label_values\((\w+), (\w+)\)/.exec(JSON.stringify(query)) ?? []
      expect(known.get(series)?.labels).toContain(label)
      expect(queries.some(({ expr }) => expr.includes(`${label}=~"$${name}"`))).toBe(true)
    }
  })
})

describe('the reader of queries', () => {
  it.each([
    ['sum(rate(lmx_gateway_tokens_total[$__rate_interval])', 'syntax error'],
    ['sum(rate(lmx_gateway_no_such_total[$__rate_interval]))', 'no such metric: lmx_gateway_no_such_total'],
    ['sum(lmx_gateway_tokens_total)', 'a counter without rate()'],
    ['sum(rate(lmx_gateway_host_up[$__rate_interval]))', 'a rate() of a gauge'],
    ['sum(rate(lmx_gateway_tokens_total[5m]))', 'a window other than $__rate_interval'],
    ['sum by (no) (rate(lmx_gateway_tokens_total[$__rate_interval]))', 'no such label: no'],
    ['sum(rate(lmx_gateway_host_errors_total{model="x"}[$__rate_interval]))', 'no such label: model'],
    ['avg(lmx_gateway_request_duration_seconds_sum)', 'a counter without rate()'],
    [
      'histogram_quantile(0.9, rate(lmx_gateway_queue_wait_seconds_bucket[$__rate_interval]))',
      'a quantile of buckets that were not added up by le',
    ],
  ])('sees what is wrong with %s', (query, problem) => {
    expect(readQuery(query, known).problems.join('; ')).toContain(problem)
  })
})

describe('the files around the dashboard', () => {
  it('prometheus.yml scrapes the admin listener where it is by default', () => {
    const { bind, port } = adminOptions.parse({})
    expect(parseYaml(file('grafana/prometheus.yml'))).toMatchObject({
      scrape_configs: [{ job_name: 'lmx-gateway', static_configs: [{ targets: [`${bind}:${port}`] }] }],
    })
  })

  it('the provisioned data source scrapes as often as Prometheus is told to, and the dashboard is where the container has it', () => {
    const prometheus = parseYaml(file('grafana/prometheus.yml')) as { global: { scrape_interval: string } }
    expect(parseYaml(file('grafana/provisioning/datasources/prometheus.yaml'))).toMatchObject({
      apiVersion: 1,
      datasources: [{ type: 'prometheus', jsonData: { timeInterval: prometheus.global.scrape_interval } }],
    })
    const provider = parseYaml(file('grafana/provisioning/dashboards/dashboards.yaml')) as {
      providers: [{ options: { path: string } }]
    }
    expect(file('grafana/README.md')).toContain(`grafana/dashboards:${provider.providers[0].options.path}:ro`)
  })
})

/** Every series that a scrape has: ours from the table, those of the process from a scrape. */
async function knownSeries(): Promise<Map<string, KnownSeries>> {
  const series = new Map<string, KnownSeries>()
  const { body } = await createMetrics(new ScriptedSources()).render()
  for (const [, name = '', type] of body.matchAll(/^# TYPE ((?:process|nodejs)_\S+) (counter|gauge)$/gm)) {
    series.set(name, { type: type === 'counter' ? 'counter' : 'gauge', labels: [] })
  }
  for (const [name, { type, labels }] of Object.entries<MetricDefinition>(metricDefinitions)) {
    if (type !== 'histogram') series.set(metricPrefix + name, { type, labels })
    else for (const part of parts) series.set(metricPrefix + name + part, { type: 'counter', labels })
  }
  return series
}

function metricOf(series: string): string {
  const name = series.slice(metricPrefix.length)
  const part = parts.find((suffix) => name.endsWith(suffix) && name.slice(0, -suffix.length) in metricDefinitions)
  return part === undefined ? name : name.slice(0, -part.length)
}
