/** A plot of a report: a group of bars for each figure that several targets have, with the interval of each. */

import type { Row } from './parts/part.ts'
import type { BenchReport } from './report.ts'
import { shown } from './report.ts'
import { type TargetName, targetNames } from './targets/target.ts'

const width = 960
const labelWidth = 380
const valueWidth = 170
const barHeight = 13
const groupGap = 14
const headHeight = 70
const barsWidth = width - labelWidth - valueWidth
const colours: Readonly<Record<TargetName, string>> = {
  direct: '#9aa0a6',
  nginx: '#5b8c5a',
  haproxy: '#4a7fb5',
  baseline: '#c9a227',
  gateway: '#c1440e',
}

/** Of one document; each group has a scale of its own, since units differ. */
export function svgOf(report: BenchReport): string {
  const rows = report.parts.flatMap((part) => part.rows).filter((row) => targetsOf(row).length > 1)
  const heights = rows.map((row) => targetsOf(row).length * barHeight + groupGap)
  const height = headHeight + heights.reduce((sum, one) => sum + one, 0)
  let y = headHeight
  const groups = rows.map((row, at) => {
    const group = groupOf(row, y)
    y += heights[at]!
    return group
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="10" y="20" font-size="14">${escaped(`LMX gateway ${report.targets.gateway ?? ''}, Node ${report.node}`)}</text>`,
    `<text x="10" y="36" fill="#555">${escaped(`${report.machine.model}, ${report.machine.atStart.cores} cores, ${report.rounds} rounds; lines are intervals of the medians, each group has its own scale`)}</text>`,
    ...legend(rows),
    ...groups,
    '</svg>',
    '',
  ].join('\n')
}

function legend(rows: readonly Row[]): string[] {
  return targetNames
    .filter((name) => rows.some(({ byTarget }) => byTarget[name] !== undefined))
    .map(
      (name, at) =>
        `<rect x="${10 + at * 90}" y="46" width="10" height="10" fill="${colours[name]}"/><text x="${24 + at * 90}" y="55">${name}</text>`,
    )
}

function groupOf(row: Row, top: number): string {
  const names = targetsOf(row)
  const most = Math.max(...names.map((name) => row.byTarget[name]!.high), row.must ?? 0, Number.MIN_VALUE)
  const at = (value: number) => labelWidth + (Math.max(0, value) / most) * barsWidth
  const bars = names.map((name, index) => {
    const { median, low, high } = row.byTarget[name]!
    const y = top + index * barHeight
    const middle = y + barHeight / 2 - 1
    return [
      `<rect x="${labelWidth}" y="${y}" width="${fixed(at(median) - labelWidth)}" height="${barHeight - 3}" fill="${colours[name]}"/>`,
      `<line x1="${fixed(at(low))}" x2="${fixed(at(high))}" y1="${middle}" y2="${middle}" stroke="black"/>`,
      `<text x="${fixed(Math.max(at(high), at(median)) + 4)}" y="${y + barHeight - 4}">${shown(median)}</text>`,
    ].join('')
  })
  const bounds = [row.must, row.goal].flatMap((bound, index) => {
    if (bound === null) return []
    const x = fixed(at(bound))
    const bottom = top + names.length * barHeight
    return [
      `<line x1="${x}" x2="${x}" y1="${top - 2}" y2="${bottom}" stroke="#777" stroke-dasharray="${index === 0 ? 'none' : '3 2'}"/>`,
    ]
  })
  const label = `<text x="${labelWidth - 8}" y="${top + barHeight - 3}" text-anchor="end">${escaped(`${row.figure} [${row.unit}]`)}</text>`
  return [label, ...bars, ...bounds].join('\n')
}

function targetsOf({ byTarget }: Row): TargetName[] {
  return targetNames.filter((name) => byTarget[name] !== undefined)
}

function fixed(value: number): string {
  return value.toFixed(1)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
