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
  /** From the first scrape in its window to the last: that is what rate() divides by. Two where either may have been the last. */
  readonly spans: readonly Span[]
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
  const scrapes = await scrapesOf(prometheus, seconds + windowSeconds + 1, until)
  const recorded = await prometheus.points(series, seconds, until)
  return recorded.flatMap(({ metric, values }) => {
    const own = requests.filter((request) => isOf(request, metric))
    return values.map(([at, value]) => {
      const spans = spansOf(scrapes, at - windowSeconds, at)
      return { series: JSON.stringify(metric), at, value: Number(value), spans, requests: own }
    })
  })
}

/** When it began, and how long it took. */
interface Scrape {
  readonly atSeconds: number
  readonly tookSeconds: number
}

/** Those that were answered, the oldest first. */
async function scrapesOf(prometheus: Prometheus, seconds: number, until: number): Promise<Scrape[]> {
  const [up] = await prometheus.points('up', seconds, until)
  const [took] = await prometheus.points('scrape_duration_seconds', seconds, until)
  const tookSeconds = new Map(took?.values)
  return (up?.values ?? []).flatMap(([at, value]) =>
    value === '1' ? [{ atSeconds: at, tookSeconds: Number(tookSeconds.get(at)) }] : [],
  )
}

/** A scrape may be there for queries so long after it ended. */
const storedSeconds = 0.2

/** Without the last scrape as well, where it was perhaps not stored yet when the rule was evaluated. */
function spansOf(scrapes: readonly Scrape[], fromSeconds: number, atSeconds: number): Span[] {
  const inside = scrapes.filter((scrape) => scrape.atSeconds >= fromSeconds && scrape.atSeconds <= atSeconds)
  const [first, last] = [inside[0], inside.at(-1)]
  if (first === undefined || last === undefined) throw new Error('nothing was scraped in the window of a rule')
  const isStored = last.atSeconds + last.tookSeconds + storedSeconds <= atSeconds
  return isStored ? [spanOf(first, last)] : [spanOf(first, last), spanOf(first, inside.at(-2) ?? first)]
}

function spanOf(first: Scrape, last: Scrape): Span {
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
  return figures.flatMap(({ series, at, value, spans, requests }) => {
    const known = spans.map((span) => truth(requests, span))
    const isNear = known.some(({ least, most }) => value >= least * (1 - shareMax) && value <= most * (1 + shareMax))
    return isNear ? [] : [`${series} at ${at}: ${value}, known: ${JSON.stringify(known)}`]
  })
}

/**
 * One line for each quantile that is outside the bucket of the true one. A value more or less is allowed for: a bucket
 * tells nothing of the order inside it, and a request may end while it is scraped; and that clients saw all of them later.
 */
export function outsideBucket(
  figures: readonly RuleFigure[],
  truth: (requests: readonly KnownRequest[], span: Span) => readonly number[],
  { quantile, edges, lagMs }: { readonly quantile: number; readonly edges: readonly number[]; readonly lagMs: number },
): string[] {
  return figures.flatMap(({ series, at, value, spans, requests }) => {
    const known = spans.map((span) => {
      const values = truth(requests, span)
      const oneValue = 1 / values.length
      const least = quantileOf(values, quantile - oneValue) - lagMs / 1000
      const most = quantileOf(values, quantile + oneValue)
      const lowest = edges.findLast((edge) => edge < least) ?? 0
      return { lowest, highest: edges.find((edge) => edge >= most) ?? Number.POSITIVE_INFINITY, of: values.length }
    })
    const isInside = known.some(({ lowest, highest }) => value >= lowest && value <= highest)
    return isInside ? [] : [`${series} at ${at}: ${value}, known: ${JSON.stringify(known)}`]
  })
}
