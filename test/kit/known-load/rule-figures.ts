/** What the rules of Prometheus say, beside what hosts and clients know of the same window. */
import type { Prometheus } from '../prometheus.ts'
import type { KnownRequest } from './known-request.ts'
import { type Known, quantileOf, type Span } from './truth.ts'

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
  // Its points are the scrapes: when each began, and how many seconds it took.
  const [took] = await prometheus.points('scrape_duration_seconds', seconds + windowSeconds + 1, until)
  const scrapes = took?.values.map(([atSeconds, value]) => ({ atSeconds, tookSeconds: Number(value) })) ?? []
  const recorded = await prometheus.points(series, seconds, until)
  return recorded.flatMap(({ metric, values }) => {
    const own = requests.filter((request) => isOf(request, metric))
    return values.map(([at, value]) => {
      const span = spanOf(scrapes.filter(({ atSeconds }) => atSeconds >= at - windowSeconds && atSeconds <= at))
      return { series: JSON.stringify(metric), at, value: Number(value), span, requests: own }
    })
  })
}

function spanOf(scrapes: readonly { readonly atSeconds: number; readonly tookSeconds: number }[]): Span {
  const [first, last] = [scrapes[0], scrapes.at(-1)]
  if (first === undefined || last === undefined) throw new Error('nothing was scraped in the window of a rule')
  const slackMs = 1000 * Math.max(first.tookSeconds, last.tookSeconds)
  return { fromMs: 1000 * first.atSeconds, toMs: 1000 * last.atSeconds, slackMs }
}

function isOf(request: KnownRequest, labels: Readonly<Record<string, string>>): boolean {
  return (['model', 'host', 'key'] as const).every((name) => (labels[name] ?? request[name]) === request[name])
}

/** One line for each figure that is off by more than a share of the truth. */
export function farFrom(
  figures: readonly RuleFigure[],
  truth: (requests: readonly KnownRequest[], span: Span) => Known,
  shareMax: number,
): string[] {
  return figures.flatMap(({ series, at, value, span, requests }) => {
    const { least, most } = truth(requests, span)
    if (value >= least * (1 - shareMax) && value <= most * (1 + shareMax)) return []
    return [`${series} at ${at}: ${value}, known: ${least} to ${most}`]
  })
}

/** What a client sees is later than what the gateway measures: its own connection and waking up come on top. */
const clientLagSeconds = 0.03

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
    const least = quantileOf(values, quantile - oneValue) - clientLagSeconds
    const most = quantileOf(values, quantile + oneValue)
    const lowest = edges.findLast((edge) => edge < least) ?? 0
    const highest = edges.find((edge) => edge >= most) ?? Number.POSITIVE_INFINITY
    if (value >= lowest && value <= highest) return []
    return [`${series} at ${at}: ${value}, known: ${quantileOf(values, quantile)} of ${values.length}`]
  })
}
