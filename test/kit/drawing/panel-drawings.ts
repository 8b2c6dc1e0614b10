/** Draws the kinds of panels that our dashboards have; what is not of these kinds is an error, so that none is left out unseen. */
import type { BoardPanel, Line, Span } from './board.ts'
import { drawCurves } from './curves.ts'
import { colourOf, lastOf, pointsThinned, unitOf } from './panel-figures.ts'
import { type Box, colours, cut, path, rect, text } from './svg.ts'
import { short, shownIn } from './units.ts'

type Draw = (panel: BoardPanel, lines: readonly Line[], box: Box, span: Span) => string[]

const headHeight = 26

export function drawPanel(panel: BoardPanel, lines: readonly Line[], box: Box, span: Span): string[] {
  const draw = kinds[panel.type]
  if (draw === undefined) throw new Error(`no drawing for panels of type ${panel.type}: ${panel.title}`)
  const inner = { x: box.x + 10, y: box.y + headHeight, w: box.w - 20, h: box.h - headHeight - 8 }
  return [
    rect(box, colours.panel, ` rx="3" stroke="${colours.edge}"`),
    text(box.x + 10, box.y + 17, cut(panel.title, box.w - 16, 12), { size: 12, weight: 600 }),
    ...draw(panel, lines, inner, span),
  ]
}

const kinds: Readonly<Record<string, Draw>> = {
  stat: drawStat,
  timeseries: drawCurves,
  heatmap: drawHeatmap,
  'state-timeline': drawStates,
  table: drawTable,
}

function drawStat(panel: BoardPanel, lines: readonly Line[], { x, y, w, h }: Box): string[] {
  const shown = lines.slice(0, 4)
  if (shown.length === 0) return [text(x + w / 2, y + h / 2 + 8, 'no data', { anchor: 'middle', fill: colours.faint })]
  const each = w / shown.length
  return shown.flatMap((line, at) => {
    const value = lastOf(line)
    const middle = x + each * (at + 0.5)
    const size = Math.min(28, (each / shownIn(unitOf(panel), value).length) * 1.7)
    const style = { size: Math.round(size), fill: colourOf(panel, value), anchor: 'middle', weight: 600 } as const
    const name =
      shown.length > 1
        ? [text(middle, y + h - 2, cut(line.name, each), { anchor: 'middle', size: 10, fill: colours.faint })]
        : []
    return [
      ...spark(line, { x: x + each * at, y: y + h * 0.55, w: each, h: h * 0.4 }, style.fill),
      text(middle, y + h / 2 + 4, shownIn(unitOf(panel), value), style),
      ...name,
    ]
  })
}

/** The course of a figure, small, behind it. */
function spark({ points }: Line, { x, y, w, h }: Box, colour: string): string[] {
  const finite = points.filter(([, value]) => Number.isFinite(value))
  const most = Math.max(...finite.map(([, value]) => value))
  if (finite.length < 2 || most <= 0) return []
  const [first, last] = [finite[0]?.[0] ?? 0, finite.at(-1)?.[0] ?? 1]
  const at = ([time, value]: readonly [number, number]) =>
    [x + (w * (time - first)) / (last - first), y + h - (h * Math.max(0, value)) / most] as const
  const top = pointsThinned(finite, 60).map(at)
  const area = [[x, y + h] as const, ...top, [x + w, y + h] as const]
  return [path(area, `fill="${colour}" fill-opacity="0.12"`)]
}

/** Counts by bucket and time: the darker the more. */
function drawHeatmap(panel: BoardPanel, lines: readonly Line[], { x, y, w, h }: Box, span: Span): string[] {
  const rows = lines
    .filter(({ labels }) => labels['le'] !== undefined && labels['le'] !== '+Inf')
    .toSorted((a, b) => Number(a.labels['le']) - Number(b.labels['le']))
  const classes = rows.map((row, at) =>
    row.points.map(
      ([time, value], index) => [time, Math.max(0, value - (rows[at - 1]?.points[index]?.[1] ?? 0))] as const,
    ),
  )
  const used = classes.flatMap((points, at) => (points.some(([, value]) => value > 1e-6) ? [at] : []))
  const [low, high] = [used[0] ?? 0, used.at(-1) ?? Math.max(0, rows.length - 1)]
  const plot = { x: x + 46, y: y + 4, w: w - 50, h: h - 22 }
  const height = plot.h / (high - low + 1)
  const columns = Math.max(1, Math.min(60, ...rows.map(({ points }) => points.length - 1)))
  const most = Math.max(1e-9, ...classes.flatMap((points) => points.map(([, value]) => value).filter(Number.isFinite)))
  const cells = classes.slice(low, high + 1).flatMap((points, row) =>
    Array.from({ length: columns }, (_, column) => {
      const [from, to] = [column, column + 1].map((edge) => span.from + ((span.to - span.from) * edge) / columns)
      const inside = points.filter(([time, value]) => time >= (from ?? 0) && time < (to ?? 0) && Number.isFinite(value))
      const mean = inside.reduce((sum, [, value]) => sum + value, 0) / Math.max(1, inside.length)
      if (mean <= most * 1e-3) return ''
      const strength = 0.15 + 0.85 * Math.sqrt(Math.min(1, mean / most))
      const cell = {
        x: plot.x + (plot.w * column) / columns,
        y: plot.y + plot.h - height * (row + 1),
        w: plot.w / columns - 0.4,
        h: height - 0.6,
      }
      return rect(cell, '#ff9830', ` fill-opacity="${strength.toFixed(2)}"`)
    }),
  )
  const labels = rows.slice(low, high + 1).flatMap((row, at) => {
    if (at % Math.ceil((high - low + 1) / 6) !== 0) return []
    const top = plot.y + plot.h - height * (at + 1) + 4
    return [
      text(plot.x - 5, top, shownIn(unitOf(panel), Number(row.labels['le'])), {
        anchor: 'end',
        size: 9,
        fill: colours.faint,
      }),
    ]
  })
  return [...cells.filter((cell) => cell !== ''), ...labels]
}

function drawStates(panel: BoardPanel, lines: readonly Line[], { x, y, w, h }: Box, span: Span): string[] {
  const height = Math.min(26, h / Math.max(1, lines.length))
  const mapped = panel.fieldConfig?.defaults.mappings?.[0]?.options
  return lines.slice(0, Math.floor(h / 16)).flatMap((line, row) => {
    const left = x + 80
    const width = w - 80
    const top = y + row * height
    const runs = runsOf(line)
    return [
      text(x, top + height / 2 + 3, cut(line.name, 76, 10), { size: 10 }),
      ...runs.flatMap(({ from, to, value }) => {
        const [begin, end] = [from, Math.min(span.to, to)].map(
          (time) => left + (width * (time - span.from)) / (span.to - span.from),
        )
        const box = { x: begin ?? left, y: top + 2, w: Math.max(1, (end ?? left) - (begin ?? left)), h: height - 4 }
        const words = mapped?.[String(value)]?.text ?? short(value)
        const label =
          box.w > words.length * 7 ? [text(box.x + 5, top + height / 2 + 3, words, { size: 10, fill: '#111217' })] : []
        return [rect(box, colourOf(panel, value), ' fill-opacity="0.85"'), ...label]
      }),
    ]
  })
}

function runsOf({ points }: Line): { from: number; to: number; value: number }[] {
  const runs: { from: number; to: number; value: number }[] = []
  for (const [time, value] of points) {
    const last = runs.at(-1)
    if (last !== undefined) last.to = time
    if (last === undefined || last.value !== value) runs.push({ from: time, to: time, value })
  }
  return runs
}

function drawTable(panel: BoardPanel, lines: readonly Line[], { x, y, w, h }: Box): string[] {
  const rows = lines.slice(0, Math.floor(h / 16))
  return rows.flatMap((line, at) => {
    const labels = Object.entries(line.labels).filter(([name]) => !['__name__', 'instance', 'job'].includes(name))
    const words = labels.map(([, value]) => value).join('   ')
    const top = y + 12 + at * 16
    return [
      text(x, top, cut(words, w - 70, 10), { size: 10 }),
      text(x + w, top, shownIn(unitOf(panel), lastOf(line)), {
        size: 10,
        anchor: 'end',
        fill: colourOf(panel, lastOf(line)),
      }),
    ]
  })
}
