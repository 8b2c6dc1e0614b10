/** Draws lines over time: beside each other or stacked, with a second axis where a panel has one. */
import type { BoardPanel, Line, Span } from './board.ts'
import { lastOf, pointsThinned, unitOf } from './panel-figures.ts'
import { type Box, colours, cut, path, rect, text } from './svg.ts'
import { shownIn } from './units.ts'

type Point = readonly [time: number, value: number]
type Place = readonly [x: number, y: number]

const pointsMax = 120
const linesMax = 12
const legendLine = 15

/** One line with how it looks. */
interface Curve {
  readonly points: readonly Point[]
  readonly colour: string
  /** Of SVG; null for a line that is drawn through, with its area filled. */
  readonly dash: string | null
  readonly isRight: boolean
}

export function drawCurves(panel: BoardPanel, all: readonly Line[], box: Box, span: Span): string[] {
  const isStacked = panel.fieldConfig?.defaults.custom?.stacking?.mode === 'normal'
  const lines = all.filter(({ points }) => points.some(([, value]) => Number.isFinite(value))).slice(0, linesMax)
  const legendRows = Math.min(Math.ceil(lines.length / 2), Math.max(1, Math.floor((box.h * 0.4) / legendLine)))
  const rightUnit = lines.find((line) => line.rightUnit !== null)?.rightUnit ?? null
  const right = rightUnit === null ? 4 : 34
  const plot = { x: box.x + 46, y: box.y + 4, w: box.w - 46 - right, h: box.h - 22 - legendRows * legendLine }
  const curves = curvesOf(lines, isStacked ? span : null)
  const mostLeft = topOf(curves, false, panel.fieldConfig?.defaults.max)
  const mostRight = topOf(curves, true)
  const drawn = curves.flatMap((curve, index) => {
    const at = placing(plot, curve.isRight ? mostRight : mostLeft, span)
    const below = isStacked ? curves[index - 1]?.points : undefined
    return drawCurve(curve, { at, floor: plot.y + plot.h, below, opacity: isStacked ? 0.45 : 0.06 })
  })
  const middle = { x: plot.x + plot.w / 2, y: plot.y + plot.h / 2 }
  return [
    ...grid(plot, { most: mostLeft, unit: unitOf(panel) }, span),
    ...(rightUnit === null ? [] : rightAxis(plot, { most: mostRight, unit: rightUnit })),
    ...drawn,
    ...(lines.length > 0 ? [] : [text(middle.x, middle.y, 'no data', { anchor: 'middle', fill: colours.faint })]),
    ...legend(panel, lines, box, legendRows),
  ]
}

/** `stackedOver`: each on top of those before it, at the same times. */
function curvesOf(lines: readonly Line[], stackedOver: Span | null): Curve[] {
  const points = stackedOver === null ? lines.map((line) => line.points) : stacked(lines, stackedOver)
  return lines.map(({ name, rightUnit }, index) => {
    const isLimit = / (?:limit|in all|capacity)$/.test(name)
    const dash = isLimit ? '4 3' : rightUnit === null ? null : '1.5 3'
    const colour = isLimit ? colours.faint : paletteColour(index)
    return { points: points[index] ?? [], colour, dash, isRight: rightUnit !== null }
  })
}

function stacked(lines: readonly Line[], { from, to, step }: Span): (readonly Point[])[] {
  const times = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step)
  const sums = times.map(() => 0)
  return lines.map(({ points }) => {
    const values = new Map(points.map(([time, value]) => [Math.round((time - from) / step), value]))
    return times.map((time, at) => {
      const value = values.get(at) ?? 0
      sums[at] = (sums[at] ?? 0) + (Number.isFinite(value) ? value : 0)
      return [time, sums[at] ?? 0] as const
    })
  })
}

function drawCurve(
  { points, colour, dash }: Curve,
  how: { at: (point: Point) => Place; floor: number; below: readonly Point[] | undefined; opacity: number },
): string[] {
  return pieces(pointsThinned(points, pointsMax)).flatMap((piece) => {
    const top = piece.map(how.at)
    const line = path(
      top,
      `fill="none" stroke="${colour}" stroke-width="1.3"${dash === null ? '' : ` stroke-dasharray="${dash}"`}`,
    )
    if (dash !== null) return [line]
    const ends: Place[] = [top.at(-1), top[0]].map((place) => [place?.[0] ?? 0, how.floor])
    const below = how.below === undefined ? ends : pointsThinned(how.below, pointsMax).toReversed().map(how.at)
    return [path([...top, ...below], `fill="${colour}" fill-opacity="${how.opacity}"`), line]
  })
}

/** A gap is a time without figures. */
function pieces(points: readonly Point[]): (readonly Point[])[] {
  const all: Point[][] = [[]]
  for (const point of points) {
    if (Number.isFinite(point[1])) all.at(-1)?.push(point)
    else all.push([])
  }
  return all.filter((piece) => piece.length > 0)
}

function placing({ x, y, w, h }: Box, most: number, { from, to }: Span): (point: Point) => Place {
  return ([time, value]) => [x + (w * (time - from)) / (to - from), y + h * (1 - value / most)]
}

/** The next round number above all values of an axis. */
function topOf(curves: readonly Curve[], isRight: boolean, least = 0): number {
  const own = curves.filter((curve) => curve.isRight === isRight)
  const values = own.flatMap(({ points }) => points.map(([, value]) => value).filter(Number.isFinite))
  const most = Math.max(least, ...values, 0)
  if (most <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(most))
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= most) ?? 10) * power
}

interface Axis {
  readonly most: number
  readonly unit: string
}

function grid(plot: Box, { most, unit }: Axis, span: Span): string[] {
  const { x, y, w, h } = plot
  const lines = [0, 0.5, 1].flatMap((share) => {
    const at = y + h * (1 - share)
    const label = text(x - 5, at + 3, shownIn(unit, most * share), { anchor: 'end', size: 9, fill: colours.faint })
    return [rect({ x, y: at, w, h: 0.8 }, colours.grid), label]
  })
  const times = [0, 0.5, 1].map((share) => {
    const ago = (span.to - span.from) * (1 - share)
    const words = share === 1 ? 'now' : `-${shownIn('s', ago)}`
    const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle'
    return text(x + w * share, y + h + 12, words, { anchor, size: 9, fill: colours.faint })
  })
  return [...lines, ...times]
}

function rightAxis({ x, y, w, h }: Box, { most, unit }: Axis): string[] {
  return [0, 0.5, 1].map((share) =>
    text(x + w + 5, y + h * (1 - share) + 3, shownIn(unit, most * share), { size: 9, fill: colours.faint }),
  )
}

function legend(panel: BoardPanel, lines: readonly Line[], { x, y, w, h }: Box, rows: number): string[] {
  const columns = lines.length > 1 ? 2 : 1
  return lines.slice(0, rows * columns).flatMap((line, at) => {
    const left = x + (w / columns) * (at % columns)
    const top = y + h - (rows - 1 - Math.floor(at / columns)) * legendLine
    const value = shownIn(line.rightUnit ?? unitOf(panel), lastOf(line))
    const width = w / columns
    return [
      rect({ x: left, y: top - 7, w: 10, h: 3 }, paletteColour(at)),
      text(left + 14, top - 2, cut(line.name, width - 24 - value.length * 6, 10), { size: 10, fill: colours.faint }),
      text(left + width - 8, top - 2, value, { size: 10, anchor: 'end' }),
    ]
  })
}

function paletteColour(index: number): string {
  return colours.palette[index % colours.palette.length] ?? colours.green
}
