/** The rules as promtool sees them, with the windows that are shipped: test/rules/ has what goes in and what comes out. */

import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { prometheusMissing } from '../kit/prometheus.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'

interface UnitTest {
  readonly name: string
  readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[]
  readonly promql_expr_test?: readonly { readonly expr: string }[]
}

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write('promtool is not installed (apt-get install prometheus): the tests of the rules are skipped\n')
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const testFiles = globSync('test/rules/*.yml', { cwd: root }).toSorted()
const unitTests = testFiles.flatMap(
  (path) => (parse(readFileSync(`${root}${path}`, 'utf8')) as { tests: UnitTest[] }).tests,
)
const rules = ruleFiles().flatMap(({ groups }) => groups.flatMap((group) => group.rules))
const namesOf = (kind: 'alert' | 'record') =>
  rules.flatMap((rule) => (kind in rule ? [String((rule as Record<string, unknown>)[kind])] : []))

describe.skipIf(prometheusMissing && !mustRun)('promtool', () => {
  it('finds nothing wrong with the rules', () => {
    const files = ruleFiles().map(({ name }) => `grafana/rules/${name}`)
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files)).toBe('')
  })

  // It reckons through days of samples.
  it.each(testFiles)('finds that the rules do what %s says', { timeout: 120_000 }, (path) => {
    expect(promtool('test', 'rules', path)).toBe('')
  })
})

it.each(namesOf('alert'))('%s fires in a test, and stays quiet in another', (alert) => {
  const cases = unitTests.flatMap(({ alert_rule_test: checks = [] }) => checks)
  const expected = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: { length } }) => length)
  expect(
    expected.some((count) => count > 0),
    'fires',
  ).toBe(true)
  expect(
    expected.some((count) => count === 0),
    'is quiet',
  ).toBe(true)
})

it('every recorded figure is calculated by hand in a test', () => {
  const asked = unitTests.flatMap(({ promql_expr_test: checks = [] }) => checks.map(({ expr }) => expr))
  const patterns = asked.map((expr) => /__name__=~"([^"]+)"/.exec(expr)?.[1]).filter((pattern) => pattern !== undefined)
  const untested = namesOf('record').filter(
    (name) =>
      !asked.some((expr) => expr.includes(name)) && !patterns.some((pattern) => new RegExp(`^${pattern}$`).test(name)),
  )
  expect(untested).toEqual([])
})

/** What it finds wrong; an empty text when nothing is. */
function promtool(...parameters: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync('promtool', parameters, { cwd: root, encoding: 'utf8' })
  if (error !== undefined) throw error
  return status === 0 ? '' : stderr + stdout
}
