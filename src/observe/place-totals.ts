/** What there is of one model at one host, in totals that only grow: speeds are differences of two of them. */
import type { PhaseTotals, TokenTotals } from '../metering/events.ts'
import type { Counted } from './counted.ts'

export interface PlaceTotals {
  readonly model: string
  readonly host: string
  output: number
  decoded: number
  prefilled: number
  prefillSeconds: number
  decodeSeconds: number
  wholeSeconds: number
  busySeconds: number
  /** Times to the first token, by the classes of their metric; null where metrics are off. */
  firstTokens: Float64Array | null
}

export interface TotalSources {
  tokens(): Iterable<TokenTotals>
  phases(): Iterable<PhaseTotals>
}

/** By model and host, whatever the key. */
export type Places = ReadonlyMap<string, Readonly<PlaceTotals>>

/** All of one moment. */
export function placesOf(sources: TotalSources, counted: Counted | null): Places {
  const places = new Map<string, PlaceTotals>()
  const place = (model: string, host: string): PlaceTotals => {
    const id = `${model}\0${host}`
    const known = places.get(id)
    if (known !== undefined) return known
    const made = nothingAt(model, host)
    places.set(id, made)
    return made
  }
  for (const { model, host, output, decoded, prefilled } of sources.tokens()) {
    const at = place(model, host)
    at.output += output
    at.decoded += decoded
    at.prefilled += prefilled
  }
  for (const { model, host, prefillSeconds, decodeSeconds, wholeSeconds, busySeconds } of sources.phases()) {
    const at = place(model, host)
    at.prefillSeconds += prefillSeconds
    at.decodeSeconds += decodeSeconds
    at.wholeSeconds += wholeSeconds
    at.busySeconds += busySeconds
  }
  for (const { labels, counts } of counted?.histograms('time_to_first_token_seconds') ?? []) {
    const at = place(labels['model'] ?? '', labels['host'] ?? '')
    at.firstTokens = added(at.firstTokens, counts)
  }
  return places
}

/** What came between the two, of those that `includes` takes, together. */
export function grownBy(before: Places, now: Places, includes: (place: PlaceTotals) => boolean): PlaceTotals {
  const grown = nothingAt('', '')
  for (const [id, at] of now) {
    if (!includes(at)) continue
    const was = before.get(id)
    for (const figure of figures) grown[figure] += at[figure] - (was?.[figure] ?? 0)
    if (at.firstTokens === null) continue
    grown.firstTokens = added(grown.firstTokens, at.firstTokens)
    if (was?.firstTokens != null) grown.firstTokens = added(grown.firstTokens, was.firstTokens, -1)
  }
  return grown
}

/** The same totals where nothing has changed since: what rests is then kept once for all the times that are remembered. */
export function sharing(before: Places, now: Places): Places {
  return new Map(
    Array.from(now, ([id, at]) => {
      const was = before.get(id)
      return [id, was !== undefined && isSame(was, at) ? was : at]
    }),
  )
}

const figures = [
  'output',
  'decoded',
  'prefilled',
  'prefillSeconds',
  'decodeSeconds',
  'wholeSeconds',
  'busySeconds',
] as const satisfies readonly (keyof PlaceTotals)[]

function isSame(a: PlaceTotals, b: PlaceTotals): boolean {
  const [ofA, ofB] = [a.firstTokens ?? [], b.firstTokens ?? []]
  return (
    figures.every((figure) => a[figure] === b[figure]) &&
    ofA.length === ofB.length &&
    ofA.every((count, at) => count === ofB[at])
  )
}

function nothingAt(model: string, host: string): PlaceTotals {
  return {
    model,
    host,
    output: 0,
    decoded: 0,
    prefilled: 0,
    prefillSeconds: 0,
    decodeSeconds: 0,
    wholeSeconds: 0,
    busySeconds: 0,
    firstTokens: null,
  }
}

function added(to: Float64Array | null, counts: Float64Array, sign: 1 | -1 = 1): Float64Array {
  const sum = to ?? new Float64Array(counts.length)
  for (const [at, count] of counts.entries()) sum[at] = (sum[at] ?? 0) + sign * count
  return sum
}
