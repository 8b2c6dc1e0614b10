/** Where pages get their figures: from where a scrape gets them, so that the two cannot tell different stories. */
import type { TokenTotals } from '../../metering/events.ts'
import type { Counted } from '../../observe/counted.ts'
import type { MetricSources } from '../../observe/metrics.ts'
import type { RecentFigures } from '../../observe/recent-figures.ts'

export interface Figures {
  readonly sources: MetricSources
  /** What events have counted; null where metrics are off. */
  readonly counted: Counted | null
  readonly recent: RecentFigures
  /** Mean delay of the turns of the event loop. */
  readonly lagMs: () => number
  /** Unix. */
  readonly startedAtMs: number
}

export interface TokenSums {
  input: number
  cachedInput: number
  output: number
  reasoning: number
  discarded: number
}

export const noTokens = (): TokenSums => ({ input: 0, cachedInput: 0, output: 0, reasoning: 0, discarded: 0 })

/** Totals by one of their labels. */
export function tokensBy(
  totals: Iterable<TokenTotals>,
  label: 'model' | 'host' | 'key' | null,
): ReadonlyMap<string, TokenSums> {
  const sums = new Map<string, TokenSums>()
  for (const total of totals) {
    const of = label === null ? '' : total[label]
    let sum = sums.get(of)
    if (sum === undefined) {
      sum = noTokens()
      sums.set(of, sum)
    }
    sum.input += total.input
    sum.cachedInput += total.cachedInput
    sum.output += total.output
    sum.reasoning += total.reasoning
    sum.discarded += total.discarded
  }
  return sums
}

/** Of all requests, or those of a model. */
export function endedOf(counted: Counted | null, where: { readonly model?: string } = {}) {
  return (
    counted && {
      total: counted.sum('requests_total', where),
      byStatus: counted.by('requests_total', 'status', where),
      byEnd: counted.by('requests_total', 'end', where),
    }
  )
}

export function objectivesOf(counted: Counted | null, where: { readonly model?: string } = {}) {
  if (counted === null) return null
  const judged = (slo: string) => ({
    met: counted.sum('slo_requests_total', { ...where, slo, met: 'true' }),
    missed: counted.sum('slo_requests_total', { ...where, slo, met: 'false' }),
  })
  return {
    availability: judged('availability'),
    ttft: judged('ttft'),
    tpot: judged('tpot'),
    goodput: judged('goodput'),
  }
}
