/** What there is of one model at one host, in totals that only grow: speeds are differences of two of them. */
import type { Steps } from '../base/steps.ts'
import type { GeneratingTotals, PhaseTotals, TokenTotals } from '../metering/events.ts'
import type { Counted } from './counted.ts'

export interface Place {
  /** Empty: the host as a whole. */
  readonly model: string
  readonly host: string
}

/** Each of them only grows. */
export interface PlaceTotals {
  output: number
  decoded: number
  decodedSeconds: number
  prefilled: number
  prefilledSeconds: number
  decodeSeconds: number
  wholeSeconds: number
  /** In which the host made answers of this model. */
  busySeconds: number
  /** Of a host as a whole: in which it made any answer. */
  generatingSeconds: number
  /** Times to the first token, by the classes of their metric; null where there are none. */
  firstTokens: Float64Array | null
}

export interface TotalSources {
  tokens(): Iterable<TokenTotals>
  phases(): Iterable<PhaseTotals>
  generating(): Iterable<GeneratingTotals>
}

export type Places = ReadonlyMap<Place, Readonly<PlaceTotals>>

/** As many as the seconds of phases are kept of; past that all others are one. */
const placesMax = 1_000
const other = 'other'

/** One object for each place, so that it need not be spelt out each time. */
export class PlaceIndex {
  readonly #byModel = new Map<string, Map<string, Place>>()
  #count = 0

  at(model: string, host: string): Place {
    const known = this.#byModel.get(model)?.get(host)
    if (known !== undefined) return known
    return this.#count < placesMax || model === other ? this.#made(model, host) : this.at(other, other)
  }

  #made(model: string, host: string): Place {
    const hosts = this.#byModel.get(model) ?? new Map<string, Place>()
    const place = { model, host }
    this.#byModel.set(model, hosts.set(host, place))
    this.#count++
    return place
  }
}

/** The tokens of a place and the seconds in which they were made are of one moment: one record has both. */
export function* placesOf(index: PlaceIndex, sources: TotalSources, counted: Counted | null): Steps<Places> {
  const places = new Map<Place, PlaceTotals>()
  const totalsAt = (model: string, host: string): PlaceTotals => totalsOf(places, index.at(model, host))
  for (const total of sources.tokens()) {
    const at = totalsAt(total.model, total.host)
    at.output += total.output
    at.decoded += total.decoded
    at.decodedSeconds += total.decodedSeconds
    at.prefilled += total.prefilled
    at.prefilledSeconds += total.prefilledSeconds
    yield
  }
  for (const total of sources.phases()) {
    const at = totalsAt(total.model, total.host)
    at.decodeSeconds += total.decodeSeconds
    at.wholeSeconds += total.wholeSeconds
    at.busySeconds += total.busySeconds
    yield
  }
  for (const { host, seconds } of sources.generating()) totalsAt('', host).generatingSeconds += seconds
  for (const { labels, counts } of counted?.histograms('time_to_first_token_seconds') ?? []) {
    const at = totalsAt(labels['model'] ?? '', labels['host'] ?? '')
    at.firstTokens = added(at.firstTokens, counts)
    yield
  }
  return places
}

/** What came between the two; what rested is not in it. */
export function* grownBetween(before: Places, now: Places): Steps<Places> {
  const grown = new Map<Place, PlaceTotals>()
  for (const [place, totals] of now) {
    const was = before.get(place)
    if (was === undefined || hasGrown(was, totals)) grown.set(place, difference(was, totals))
    yield
  }
  return grown
}

/** All growth by the values of a label; null: together, under the empty name. */
export function* summedBy(
  label: keyof Place | null,
  growths: Iterable<Places>,
): Steps<ReadonlyMap<string, Readonly<PlaceTotals>>> {
  const sums = new Map<string, PlaceTotals>()
  for (const growth of growths) {
    for (const [place, grown] of growth) {
      addTo(totalsOf(sums, label === null ? '' : place[label]), grown)
      yield
    }
  }
  return sums
}

export function noTotals(): PlaceTotals {
  return {
    output: 0,
    decoded: 0,
    decodedSeconds: 0,
    prefilled: 0,
    prefilledSeconds: 0,
    decodeSeconds: 0,
    wholeSeconds: 0,
    busySeconds: 0,
    generatingSeconds: 0,
    firstTokens: null,
  }
}

const figures = [
  'output',
  'decoded',
  'decodedSeconds',
  'prefilled',
  'prefilledSeconds',
  'decodeSeconds',
  'wholeSeconds',
  'busySeconds',
  'generatingSeconds',
] as const satisfies readonly (keyof PlaceTotals)[]

function totalsOf<Of>(all: Map<Of, PlaceTotals>, of: Of): PlaceTotals {
  const known = all.get(of)
  if (known !== undefined) return known
  const made = noTotals()
  all.set(of, made)
  return made
}

function hasGrown(was: PlaceTotals, totals: PlaceTotals): boolean {
  if (figures.some((figure) => was[figure] !== totals[figure])) return true
  const before = was.firstTokens
  return totals.firstTokens?.some((count, at) => count !== (before?.[at] ?? 0)) ?? false
}

function difference(was: PlaceTotals | undefined, totals: PlaceTotals): PlaceTotals {
  const grown = noTotals()
  addTo(grown, totals)
  if (was !== undefined) addTo(grown, was, -1)
  // Their series ended for want of room, and began anew if there are any.
  if (grown.firstTokens?.some((count) => count < 0)) grown.firstTokens = totals.firstTokens
  return grown
}

function addTo(sum: PlaceTotals, part: PlaceTotals, sign: 1 | -1 = 1): void {
  for (const figure of figures) sum[figure] += sign * part[figure]
  if (part.firstTokens !== null) sum.firstTokens = added(sum.firstTokens, part.firstTokens, sign)
}

function added(to: Float64Array | null, counts: Float64Array, sign: 1 | -1 = 1): Float64Array {
  const sum = to ?? new Float64Array(counts.length)
  for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] ?? 0) + sign * (counts[at] ?? 0)
  return sum
}
