/** What panels of all kinds are drawn by: units, last values, colours of thresholds. */
import type { BoardPanel, Line } from './board.ts'
import { colours } from './svg.ts'

export function unitOf(panel: BoardPanel): string {
  return panel.fieldConfig?.defaults.unit ?? 'none'
}

export function lastOf({ points }: Line): number {
  return points.findLast(([, value]) => Number.isFinite(value))?.[1] ?? Number.NaN
}

export function colourOf(panel: BoardPanel, value: number): string {
  const steps = panel.fieldConfig?.defaults.thresholds?.steps ?? []
  const colour = steps.findLast((step) => step.value === null || value >= step.value)?.color ?? 'green'
  return namedColours[colour] ?? colour
}

const namedColours: Readonly<Record<string, string>> = {
  green: colours.green,
  orange: colours.orange,
  yellow: '#f2cc0c',
  red: colours.red,
  blue: '#5794f2',
  text: colours.text,
}

/** So many at the most, the last one among them. */
export function pointsThinned<Item>(items: readonly Item[], most: number): readonly Item[] {
  const every = Math.ceil(items.length / most)
  return items.filter((_item, at) => at % every === 0 || at === items.length - 1)
}
