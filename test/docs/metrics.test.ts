/** README's table of metrics against the table in the code, both ways. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type MetricDefinition, metricDefinitions, metricPrefix } from '../../src/observe/metric-names.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

it('README has a row for each metric, with its type, labels and meaning, and for no other', () => {
  const rows = Object.entries<MetricDefinition>(metricDefinitions).map(
    ([name, { type, labels, help }]) => `| \`${metricPrefix}${name}\` | ${type} | ${labels.join(', ')} | ${help} |`,
  )
  expect(rowsOf(readme)).toEqual(rows.map(withoutPadding))
})

it('every name that begins with our prefix in README and in grafana/README.md is a metric', () => {
  const texts = [readme, readFileSync(new URL('../../grafana/README.md', import.meta.url), 'utf8')]
  const names = texts.flatMap((text) => [...text.matchAll(/(?<!:)lmx_gateway_(\w+)/g)].map(([, name = '']) => name))
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) expect(Object.keys(metricDefinitions)).toContain(name.replace(/_(bucket|sum|count)$/, ''))
})

/** The rows of the first table of metrics; the formatter pads its columns. */
function rowsOf(markdown: string): string[] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith(`| \`${metricPrefix}`))
    .map(withoutPadding)
}

function withoutPadding(row: string): string {
  return row.replace(/\s+/g, ' ').trim()
}
