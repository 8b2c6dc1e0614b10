/** Reads single gauges out of an exposition that may be large, or broken by what others wrote into its labels. */

/** Series of one name that are read; engines behind one server are few. */
const seriesMax = 1_000
/** A sample is looked at no further than this; labels may be anything. */
const lineCharsMax = 4_096

/**
 * The sum, or the largest, of all series of this name; undefined where there is none, or one of them is no number from 0 on.
 * What stands in labels is not read, so that it need not be well formed.
 */
export function gauge(text: string, name: string, of: 'sum' | 'largest' = 'sum'): number | undefined {
  let total: number | undefined
  let at = lineStart(text, name, 0)
  for (let found = 0; at >= 0 && found < seriesMax; found++) {
    const behind = at + name.length
    const next = text.charCodeAt(behind)
    if (next === brace || next === space || next === tab) {
      const value = valueOf(lineFrom(text, behind))
      if (value === undefined) return undefined
      total = of === 'sum' ? (total ?? 0) + value : Math.max(total ?? 0, value)
    }
    at = lineStart(text, name, behind)
  }
  return total
}

const brace = 123
const space = 32
const tab = 9

/** Where the next line begins that begins so; -1 where none does. */
function lineStart(text: string, name: string, from: number): number {
  if (from === 0 && text.startsWith(name)) return 0
  const at = text.indexOf(`\n${name}`, from)
  return at < 0 ? -1 : at + 1
}

function lineFrom(text: string, at: number): string {
  const end = text.indexOf('\n', at)
  return text.slice(at, Math.min(end < 0 ? text.length : end, at + lineCharsMax))
}

/** Behind its labels: the value, and perhaps when it was so. */
function valueOf(rest: string): number | undefined {
  const [value = ''] = rest
    .slice(rest.lastIndexOf('}') + 1)
    .trim()
    .split(/[ \t]+/)
  const number = value === '' ? Number.NaN : Number(value)
  return Number.isFinite(number) && number >= 0 ? number : undefined
}
