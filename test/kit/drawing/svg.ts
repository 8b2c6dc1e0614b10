/** Shapes of SVG as text: only what pictures of dashboards need. */

export const colours = {
  page: '#111217',
  panel: '#181b1f',
  edge: '#2c3036',
  text: '#ccccdc',
  faint: '#8e8e99',
  grid: '#2a2d33',
  green: '#73bf69',
  orange: '#ff9830',
  red: '#f2495c',
  /** One line after the other. */
  palette: [
    '#73bf69',
    '#f2cc0c',
    '#8ab8ff',
    '#ff9830',
    '#f2495c',
    '#5794f2',
    '#b877d9',
    '#96d98d',
    '#ffcb7d',
    '#c0d8ff',
  ],
} as const

export interface Box {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

export interface TextStyle {
  readonly size?: number
  readonly fill?: string
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly weight?: number
}

export function rect({ x, y, w, h }: Box, fill: string, more = ''): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}" fill="${fill}"${more}/>`
}

export function text(x: number, y: number, words: string, style: TextStyle = {}): string {
  const { size = 11, fill = colours.text, anchor = 'start', weight = 400 } = style
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}" font-weight="${weight}">${escaped(words)}</text>`
}

export function path(points: readonly (readonly [number, number])[], style: string): string {
  const steps = points.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`)
  return `<path d="${steps.join('')}" ${style}/>`
}

export function picture(width: number, height: number, shapes: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Inter, Helvetica, Arial, sans-serif">`,
    rect({ x: 0, y: 0, w: width, h: height }, colours.page),
    ...shapes,
    '</svg>',
    '',
  ].join('\n')
}

/** As many words as fit, by a mean width of letters. */
export function cut(words: string, width: number, size = 11): string {
  const letters = Math.floor(width / (size * 0.55))
  return words.length <= letters ? words : `${words.slice(0, Math.max(1, letters - 1))}…`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(words: string): string {
  return words.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? char)
}
