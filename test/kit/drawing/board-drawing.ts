/** Draws a dashboard, or one row of it, as one picture, from what a Prometheus has. */
import { type Board, type BoardPanel, linesOf, type Span } from './board.ts'
import { drawPanel } from './panel-drawings.ts'
import { colours, picture, text } from './svg.ts'

const width = 1_240
const columnWidth = width / 24
const unitHeight = 34
const gap = 6
const headHeight = 40

export interface DrawingParts {
  readonly prometheusUrl: string
  readonly span: Span
  /** What `$__rate_interval` stands for. */
  readonly rateInterval: string
}

/** `row`: title of the one row that is drawn; all of the board when absent. Resolves with the SVG. */
export async function drawBoard(board: Board, parts: DrawingParts, row?: string): Promise<string> {
  const panels = row === undefined ? board.panels.filter(({ type }) => type !== 'row') : panelsOfRow(board, row)
  const top = Math.min(...panels.map(({ gridPos }) => gridPos.y))
  const bottom = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h))
  const shapes = [text(12, 26, row === undefined ? board.title : `${board.title}: ${row}`, { size: 17, weight: 600 })]
  for (const panel of panels) {
    const { x, y, w, h } = panel.gridPos
    const box = {
      x: x * columnWidth + gap / 2,
      y: headHeight + (y - top) * unitHeight + gap / 2,
      w: w * columnWidth - gap,
      h: h * unitHeight - gap,
    }
    const lines = await linesOf(panel, parts.prometheusUrl, parts.span, parts.rateInterval)
    shapes.push(...drawPanel(panel, lines, box, parts.span))
  }
  const height = headHeight + (bottom - top) * unitHeight + gap
  shapes.push(text(width - 12, 26, 'drawn from measured data', { anchor: 'end', fill: colours.faint }))
  return picture(width, height, shapes)
}

function panelsOfRow({ title, panels }: Board, row: string): readonly BoardPanel[] {
  const begin = panels.findIndex((panel) => panel.type === 'row' && panel.title === row)
  if (begin === -1) throw new Error(`${title} has no row "${row}"`)
  const rest = panels.slice(begin + 1)
  const end = rest.findIndex(({ type }) => type === 'row')
  return end === -1 ? rest : rest.slice(0, end)
}
