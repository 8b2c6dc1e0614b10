/** The boards in grafana/ against the metrics that the gateway, LMX and the rules really have. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { adminOptions } from '../../src/http/options.ts'
import { metricDefinitions } from '../../src/observe/metric-names.ts'
import { annotations } from '../kit/dashboard/annotations.ts'
import { boardPath, boards } from '../kit/dashboard/boards.ts'
import { knownSeries, metricOf } from '../kit/dashboard/known-series.ts'
import { readQuery } from '../kit/dashboard/promql-problems.ts'
import { alerts } from '../kit/rules/rule-files.ts'

interface CommittedPanel {
  readonly type: string
  readonly id: number
  readonly title: string
  readonly description: string
  readonly datasource: unknown
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly {
    readonly refId: string
    readonly expr: string
    readonly legendFormat: string
    readonly instant: boolean
    readonly range: boolean
  }[]
  readonly links?: readonly { readonly title: string; readonly url: string }[]
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string
      readonly thresholds: { readonly steps: readonly { readonly value: number | null }[] }
    }
  }
  readonly options: { readonly content?: string; readonly legend?: unknown }
}

interface CommittedBoard {
  readonly uid: string
  readonly title: string
  readonly panels: readonly CommittedPanel[]
  readonly links: readonly { readonly url: string; readonly includeVars: boolean; readonly keepTime: boolean }[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: unknown }[]
  }
}

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const committed = boards().map((board) => JSON.parse(file(boardPath(board))) as CommittedBoard)
const [overview, whole, runbook] = committed as [CommittedBoard, CommittedBoard, CommittedBoard]
const panelsOf = ({ panels }: CommittedBoard) => panels.filter(({ type }) => type !== 'row')
const withQueries = [overview, whole].flatMap((board) =>
  panelsOf(board).map((panel) => ({ ...panel, targets: panel.targets ?? [], board: board.title })),
)
const queries = withQueries.flatMap(({ title, targets, board }) => targets.map(({ expr }) => ({ title, expr, board })))
const known = await knownSeries()

/** Metrics that no panel shows, each with the reason. */
const notShown: Readonly<Record<string, string>> = {}

describe('the boards', () => {
  it('are what test/bin/make-dashboard.ts writes', () => {
    expect(committed).toEqual(boards())
    expect(committed.map(({ uid }) => uid)).toEqual(['lmx-gateway-overview', 'lmx-gateway', 'lmx-gateway-runbook'])
  })

  it.each(queries)('ask only for what there is, in a way that is right: $board, $title', ({ expr }) => {
    expect(readQuery(expr, known).problems).toEqual([])
  })

  it('show every metric, or say why not', () => {
    const shown = new Set(queries.flatMap(({ expr }) => readQuery(expr, known).series.map(metricOf)))
    const missing = Object.keys(metricDefinitions).filter((name) => !shown.has(name))
    expect(missing.toSorted()).toEqual(Object.keys(notShown).toSorted())
  })

  it('tell at each panel what it shows and in which unit, from the data source that is chosen', () => {
    for (const panel of withQueries) {
      expect(panel.title, 'title').not.toBe('')
      expect(panel.description.length, panel.title).toBeGreaterThan(15)
      expect(panel.description, panel.title).toMatch(/\.$/)
      expect(panel.fieldConfig.defaults.unit, panel.title).not.toBe('')
      expect(panel.datasource, panel.title).toEqual({ type: 'prometheus', uid: '${datasource}' })
      expect(panel.targets.length, panel.title).toBeGreaterThan(0)
      expect(new Set(panel.targets.map(({ refId }) => refId)).size, panel.title).toBe(panel.targets.length)
    }
  })

  it('have thresholds that begin at nothing and rise', () => {
    for (const { title, fieldConfig } of withQueries) {
      const [first, ...others] = fieldConfig.defaults.thresholds.steps.map(({ value }) => value)
      expect(first, title).toBeNull()
      expect(others, title).toEqual(others.toSorted((a, b) => Number(a) - Number(b)))
    }
    const colored = withQueries.filter(({ fieldConfig }) => fieldConfig.defaults.thresholds.steps.length > 1)
    expect(colored.length).toBeGreaterThanOrEqual(40)
  })

  it('ask for what is recorded of a month once, and not for a curve of it', () => {
    const ofMonth = withQueries.filter(({ targets }) => targets.some(({ expr }) => expr.includes('30d')))
    expect(ofMonth.map(({ board }) => board)).toEqual(['LMX gateway: overview', 'LMX gateway'])
    for (const { targets } of ofMonth) {
      expect(targets.map(({ instant, range }) => ({ instant, range }))).toEqual(
        targets.map(() => ({ instant: true, range: false })),
      )
    }
  })

  it('name lines by labels that their query keeps', () => {
    for (const { targets, title } of withQueries) {
      for (const { expr, legendFormat } of targets) {
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          const kept = / by \(/.test(expr)
          const grouping = [...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '))
          expect(kept ? grouping : ['instance'], `${title}: ${legendFormat}`).toContain(label)
        }
      }
      if (targets.length > 1)
        expect(
          targets.every(({ legendFormat }) => legendFormat !== ''),
          title,
        ).toBe(true)
    }
  })

  it.each(committed)('have no panel over another or beyond the page: $title', ({ panels }) => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Map<string, string>()
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), `${title} at ${x},${y}`).toBeUndefined()
          taken.set(`${x},${y}`, title)
        }
      }
    }
  })

  it('have an overview that one screen holds, and a row for each subject of the whole', () => {
    const bottom = Math.max(...overview.panels.map(({ gridPos }) => gridPos.y + gridPos.h))
    expect(bottom).toBeLessThanOrEqual(18)
    expect(overview.panels.length).toBeGreaterThanOrEqual(12)
    expect(overview.panels.length).toBeLessThanOrEqual(14)
    expect(whole.panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
      'Now',
      'Latency',
      'Throughput',
      'The line and fairness',
      'Hosts',
      'Models',
      'Cache and routing',
      'Limits and keys',
      'Reliability',
      'Gateway',
      'Several gateways',
      'LMX’s own view',
    ])
  })

  it('have variables for data source, model, host, key and gateway, fed from labels that exist and used by queries', () => {
    for (const board of [overview, whole]) {
      expect(board.templating.list.map(({ name }) => name)).toEqual(['datasource', 'model', 'host', 'key', 'replica'])
      const own = panelsOf(board).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
      for (const { name, type, query } of board.templating.list) {
        if (type !== 'query') continue
        const [, series = '', label = ''] = /label_values\((\w+), (\w+)\)/.exec(JSON.stringify(query)) ?? []
        expect(known.get(series)?.labels).toContain(label)
        expect(
          own.some((expr) => expr.includes(`${label}=~"$${name}"`)),
          `${board.title}: ${name}`,
        ).toBe(true)
      }
    }
  })

  it('know every variable that a query names', () => {
    const names = new Set(['__rate_interval', 'model', 'host', 'key', 'replica'])
    const used = [...queries, ...annotations].flatMap(({ expr }) => [...expr.matchAll(/\$\{?(\w+)/g)])
    for (const [, name = ''] of used) expect(names).toContain(name)
  })

  it.each(annotations)('mark only what there is: $name', ({ expr, text }) => {
    expect(readQuery(expr, known).problems).toEqual([])
    expect(text).toMatch(/\{\{(?:host|model|instance)\}\}/)
  })

  it('lead to one another with the time and the variables that were chosen', () => {
    for (const board of committed) {
      const others = committed.filter(({ uid }) => uid !== board.uid).map(({ uid }) => `/d/${uid}`)
      expect(board.links.map(({ url }) => url)).toEqual(others)
      expect(board.links.every(({ includeVars, keepTime }) => includeVars && keepTime)).toBe(true)
    }
  })
})

describe('the runbook', () => {
  it('has the lines of every alert', () => {
    expect(runbook.panels.map(({ title }) => title)).toEqual(alerts.map(({ alert }) => alert))
    for (const [index, { runbook: lines }] of alerts.entries()) {
      const content = runbook.panels[index]?.options.content
      for (const line of Object.values(lines)) expect(content).toContain(line)
    }
  })

  it('is led to from panels: from each by the lines that its link names, and to each alert from somewhere', () => {
    const titles = new Map(runbook.panels.map(({ id, title }) => [`/d/lmx-gateway-runbook?viewPanel=${id}`, title]))
    const linked = new Set<string>()
    for (const { title, links = [] } of withQueries) {
      for (const link of links) {
        const alert = titles.get(link.url)
        expect(link.title, title).toBe(`Runbook: ${alert} (README)`)
        linked.add(alert ?? '')
      }
    }
    expect(alerts.map(({ alert }) => alert).filter((alert) => !linked.has(alert))).toEqual([])
  })
})

describe('the reader of queries', () => {
  it.each([
    ['sum(rate(lmx_gateway_tokens_total[$__rate_interval])', 'syntax error'],
    ['sum(rate(lmx_gateway_no_such_total[$__rate_interval]))', 'no such metric: lmx_gateway_no_such_total'],
    ['sum(lmx_gateway_tokens_total)', 'a counter without rate()'],
    ['sum(rate(lmx_gateway_host_up[$__rate_interval]))', 'a rate() of a gauge'],
    ['sum(rate(lmx_gateway_tokens_total[5m]))', 'a window other than $__rate_interval'],
    ['sum(rate(lmx_gateway_slo_requests_total{met="true"}[2h]))', 'a window other than $__rate_interval'],
    ['sum by (no) (rate(lmx_gateway_tokens_total[$__rate_interval]))', 'no such label: no'],
    ['sum(rate(lmx_gateway_host_errors_total{model="x"}[$__rate_interval]))', 'no such label: model'],
    ['sum by (host) (lmx_gateway_host_concurrency_limit{host="a"})', 'a sum of what each gateway sees whole'],
    ['sum(lmx_gateway_replicas)', 'a sum of what each gateway sees whole'],
    ['avg(lmx_gateway_request_duration_seconds_sum)', 'a counter without rate()'],
    ['sum(rate(lmx_gateway_slo_requests_total{met="true"}[30d]))', 'a window other than $__rate_interval'],
    ['max by (model) (slo:lmx_gateway_burn:ratio1h)', 'no such label: model'],
    ['max by (host) (slo_model:lmx_gateway_burn:ratio1h)', 'no such label: host'],
    ['max(slo:lmx_gateway_burn:ratio2h)', 'no such metric: slo:lmx_gateway_burn:ratio2h'],
    ['sum by (host) (lmx_model_queue_wait_seconds)', 'no such metric: lmx_model_queue_wait_seconds'],
    [
      'histogram_quantile(0.9, rate(lmx_gateway_queue_wait_seconds_bucket[$__rate_interval]))',
      'a quantile of buckets that were not added up by le',
    ],
  ])('sees what is wrong with %s', (query, problem) => {
    expect(readQuery(query, known).problems.join('; ')).toContain(problem)
  })
})

describe('the files around the boards', () => {
  it('start Prometheus so that it keeps what the boards and rules read: exemplars, and the month of an error budget', () => {
    const commands = file('grafana/README.md')
      .replaceAll('\\\n', ' ')
      .split('\n')
      .filter((line) => /^prometheus |prom\/prometheus/.test(line))
    expect(commands.length).toBe(2)
    for (const command of commands) {
      expect(command).toContain('--enable-feature=exemplar-storage')
      expect(command).toContain('--storage.tsdb.retention.time=31d')
    }
  })

  it('prometheus.yml scrapes the admin listener where it is by default', () => {
    const { bind, port } = adminOptions.parse({})
    expect(parseYaml(file('grafana/prometheus.yml'))).toMatchObject({
      scrape_configs: [{ job_name: 'lmx-gateway', static_configs: [{ targets: [`${bind}:${port}`] }] }],
    })
  })

  it('the provisioned data source scrapes as often as Prometheus is told to, and the boards are where the container has them', () => {
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
