/** The rule files in grafana/rules/ against their source, the metrics that the gateway has, and README's runbook. */

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { objectiveNames } from '../../src/observe/objectives.ts'
import { knownSeries } from '../kit/dashboard/known-series.ts'
import { readQuery } from '../kit/dashboard/promql-problems.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'
import { job } from '../kit/rules/rule-shapes.ts'
import { sloTargets } from '../kit/rules/slo-rules.ts'

interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

const root = new URL('../../', import.meta.url)
const text = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const rules = ruleFiles().flatMap(({ yaml }) =>
  (parse(yaml) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
)
const alerting = rules.filter(({ alert }) => alert !== undefined)
const known = new Map([...(await knownSeries()), ['up', { type: 'gauge', labels: [] }] as const])

it('are what test/bin/make-rules.ts writes', () => {
  expect(readdirSync(new URL('grafana/rules/', root)).toSorted()).toEqual(['alerts.yml', 'recording.yml'])
  for (const { name, yaml } of ruleFiles()) expect(text(`grafana/rules/${name}`), name).toBe(yaml)
})

it.each(rules.map(({ record, alert, expr }) => ({ name: record ?? alert ?? '', expr })))(
  'ask only for what there is, in a way that is right: $name',
  ({ expr }) => {
    const asOfBoards = expr.replaceAll(/\[\d+[smhd]\]/g, '[$__rate_interval]')
    expect(readQuery(asOfBoards, known).problems).toEqual([])
  },
)

it('record each series once per set of labels, at the level that its name begins with', () => {
  const recorded = rules.flatMap(({ record, labels }) => (record === undefined ? [] : [[record, labels]]))
  expect(new Set(recorded.map((one) => JSON.stringify(one))).size).toBe(recorded.length)
  for (const { record, expr } of rules) {
    if (record === undefined) continue
    const labels = record.slice(0, record.indexOf(':')).split('_')
    // What is made of recorded figures alone keeps theirs.
    for (const [, kept = ''] of expr.matchAll(/sum by \(([^)]*)\)/g)) {
      const own = kept.split(', ').filter((label) => !['job', 'le'].includes(label))
      expect(labels, record).toEqual(expect.arrayContaining(own))
    }
    const [, kept] = /(?:sum|count) by \((?:le, )?([^)]*)\)/.exec(expr) ?? []
    if (kept !== undefined) expect(new Set(kept.split(', ')), record).toEqual(new Set(['job', ...labels]))
  }
})

it('have targets for objectives that are judged', () => {
  expect(objectiveNames).toEqual(expect.arrayContaining(Object.keys(sloTargets)))
})

describe('the alerts', () => {
  it.each(alerting)('$alert says what happened, how bad it is, and where its runbook is', ({ alert, ...rule }) => {
    expect(Object.keys(rule.annotations ?? {})).toEqual(['summary', 'description', 'runbook'])
    expect(['page', 'ticket', 'info']).toContain(rule.labels?.['severity'])
    expect(rule.annotations?.['summary']).toMatch(/\.$/)
    expect(rule.annotations?.['description']).toMatch(/\.$/)
    const headings = text('README.md')
      .split('\n')
      .filter((line) => line.startsWith('#'))
    expect(headings.filter((line) => anchorOf(line) === alert?.toLowerCase())).toEqual([`#### ${alert}`])
    expect(rule.annotations?.['runbook']).toBe(`README.md#${anchorOf(`#### ${alert}`)}`)
  })

  it('watch the job that grafana/prometheus.yml scrapes, which loads the rules', () => {
    const config = parse(text('grafana/prometheus.yml')) as {
      rule_files: string[]
      scrape_configs: { job_name: string }[]
    }
    expect(config.rule_files).toEqual(['rules/*.yml'])
    expect(config.scrape_configs.map((scrape) => scrape.job_name)).toContain(job)
  })
})

describe('a factor', () => {
  it('divides every window, interval and time that an alert waits, and changes nothing else', () => {
    const asShipped = ruleFiles()
      .map(({ yaml }) => yaml)
      .join('')
    const faster = ruleFiles({ factor: 60 })
      .map(({ yaml }) => yaml)
      .join('')
    expect(durationsOf(faster)).toEqual(durationsOf(asShipped).map((ms) => ms / 60))
    expect(durationsOf(asShipped).length).toBeGreaterThan(50)
    expect(withoutDurations(faster)).toBe(withoutDurations(asShipped))
  })

  it('by which a window is no number of milliseconds is refused', () => {
    expect(() => ruleFiles({ factor: 7 })).toThrow('15s / 7')
  })
})

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .replace(/^#+ /, '')
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
}

const duration = /(?<=\[|\n +interval: |\n +for: )(\d+)(ms|[smhd])(?=\]|\n)/g
const msOf: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function durationsOf(yaml: string): number[] {
  return [...yaml.matchAll(duration)].map(([, count, unit = '']) => Number(count) * (msOf[unit] ?? Number.NaN))
}

function withoutDurations(yaml: string): string {
  return yaml.replaceAll(duration, '')
}
