/** What the rules of Prometheus say, beside what hosts and clients know of the same window. */
import type { Prometheus } from '../prometheus.ts'
import type { KnownRequest } from './known-request.ts'
import { quantileOf, type Span } from './truth.ts'

/** One value of a recorded series, and the scrapes it was made of. */
export interface RuleFigure {
  /** Its labels. */
  readonly series: string
  /** When it was recorded, in Unix seconds. */
  readonly at: number
  readonly value: number
  /** From the first scrape in its window to the last: that is what rate() divides by. */
  readonly span: Span
  /** Those of its model, host and key. */
  readonly requests: readonly KnownRequest[]
}

interface Recorded {
  /** Matchers may follow the name. */
  readonly series: string
  /** Of the rate that it is made of. */
  readonly windowSeconds: number
  /** Taken are those that were recorded in so many seconds up to a Unix time. */
  readonly seconds: number
  readonly until: number
}

export async function recordedFigures(
  prometheus: Prometheus,
  { series, windowSeconds, seconds, until }: Recorded,
  requests: readonly KnownRequest[],
): Promise<RuleFigure[]> {
  const [scrapes] = await prometheus.points('up', seconds + windowSeconds + 1, until)
  const scrapedAt = scrapes?.values.map(([time]) => time) ?? []
  const recorded = await prometheus.points(series, seconds, until)
  return recorded.flatMap(({ metric, values }) => {
    const own = requests.filter((request) => isOf(request, metric))
    return values.map(([time, value]) => {
      const inside = scrapedAt.filter((at) => at >= time - windowSeconds && at <= time)
      const span = { fromMs: (inside[0] ?? Number.NaN) * 1000, toMs: (inside.at(-1) ?? Number.NaN) * 1000 }
      return { series: JSON.stringify(metric), at: time, value: Number(value), span, requests: own }
    })
  })
}

function isOf(request: KnownRequest, labels: Readonly<Record<string, string>>): boolean {
  return (['model', 'host', 'key'] as const).every((name) => (labels[name] ?? request[name]) === request[name])
}

/** One line for each figure that is off by more than a share of the truth. */
export function farFrom(
  figures: readonly RuleFigure[],
  truth: (requests: readonly KnownRequest[], span: Span) => number,
  shareMax: number,
): string[] {
  return figures.flatMap(({ series, at, value, span, requests }) => {
    const known = truth(requests, span)
    const share = Math.abs(value / known - 1)
    return share <= shareMax ? [] : [`${series} at ${at}: ${value}, known: ${known}`]
  })
}

/**
 * One line for each quantile that is outside the bucket of the true one. A value more or less is allowed for: a bucket
 * tells nothing of the order inside it, and a request may end while it is scraped.
 */
export function outsideBucket(
  figures: readonly RuleFigure[],
  truth: (requests: readonly KnownRequest[], span: Span) => readonly number[],
  { quantile, edges }: { readonly quantile: number; readonly edges: readonly number[] },
): string[] {
  return figures.flatMap(({ series, at, value, span, requests }) => {
    const values = truth(requests, span)
    const oneValue = 1 / values.length
    const lowest = edges.findLast((edge) => edge < quantileOf(values, quantile - oneValue)) ?? 0
    const highest = edges.find((edge) => edge >= quantileOf(values, quantile + oneValue)) ?? Number.POSITIVE_INFINITY
    if (value >= lowest && value <= highest) return []
    return [`${series} at ${at}: ${value}, known: ${quantileOf(values, quantile)} of ${values.length}`]
  })
}
