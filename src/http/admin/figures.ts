/** Where pages get their figures: from where a scrape gets them, so that the two cannot tell different stories. */
import type { Steps } from '../../base/steps.ts'
import type { PhaseTotals, TokenTotals } from '../../metering/events.ts'
import type { Counted } from '../../observe/counted.ts'
import type { FigureSources } from '../../observe/figure-sources.ts'
import { objectiveNames } from '../../observe/objectives.ts'
import type { RecentFigures } from '../../observe/recent-figures.ts'

export interface Figures {
  readonly sources: FigureSources
  /** What events have counted; null where metrics are off. */
  readonly counted: Counted | null
  readonly recent: RecentFigures
  /** Mean delay of the turns of the event loop. */
  readonly lagMs: () => number
  /** Unix. */
  readonly startedAtMs: number
}

type Label = 'model' | 'host' | 'key'

/** Sums by name. */
export class Sums<Sum> {
  readonly #none: () => Sum
  readonly #byName = new Map<string, Sum>()

  constructor(none: () => Sum) {
    this.#none = none
  }

  /** To add to. */
  of(name: string): Sum {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const made = this.#none()
    this.#byName.set(name, made)
    return made
  }

  /** To read: nothing where none was made. */
  at(name: string): Sum {
    return this.#byName.get(name) ?? this.#none()
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  entries(): Iterable<readonly [string, Sum]> {
    return this.#byName
  }
}

const noTokens = () => ({ input: 0, cachedInput: 0, output: 0, reasoning: 0, discarded: 0 })
type TokenSums = ReturnType<typeof noTokens>

const noStreams = () => ({ prefill: 0, decode: 0, whole: 0 })
const noneEnded = (): { total: number; byStatus: Record<string, number>; byEnd: Record<string, number> } => {
  return { total: 0, byStatus: {}, byEnd: {} }
}
const noneJudged = () => ({ availability: nobody(), ttft: nobody(), tpot: nobody(), goodput: nobody() })
const nobody = () => ({ met: 0, missed: 0 })

// In all that follows a label of null means: all together, under the empty name.

export function* tokensBy(totals: Iterable<TokenTotals>, label: Label | null): Steps<Sums<TokenSums>> {
  const sums = new Sums(noTokens)
  for (const total of totals) {
    const sum = sums.of(label === null ? '' : total[label])
    sum.input += total.input
    sum.cachedInput += total.cachedInput
    sum.output += total.output
    sum.reasoning += total.reasoning
    sum.discarded += total.discarded
    yield
  }
  return sums
}

/** Of no more than a thousand pairs of model and host. */
export function streamsBy(phases: Iterable<PhaseTotals>, label: 'host' | null): Sums<ReturnType<typeof noStreams>> {
  const sums = new Sums(noStreams)
  for (const { host, running } of phases) {
    const sum = sums.of(label === null ? '' : host)
    sum.prefill += running.prefill
    sum.decode += running.decode
    sum.whole += running.whole
  }
  return sums
}

/** What only metrics count, by name; null where they are off, and for a name that was counted as another for want of series. */
export function* endedBy(counted: Counted | null, label: 'model' | null) {
  if (counted === null) return () => null
  const sums = new Sums(noneEnded)
  for (const { labels, value } of counted.scalars('requests_total')) {
    const sum = sums.of(label === null ? '' : (labels['model'] ?? ''))
    sum.total += value
    addTo(sum.byStatus, labels['status'], value)
    addTo(sum.byEnd, labels['end'], value)
    yield
  }
  return (name: string) => (isFolded(name, sums, counted) ? null : sums.at(name))
}

/** The same of the objectives. */
export function* objectivesBy(counted: Counted | null, label: 'model' | null) {
  if (counted === null) return () => null
  const sums = new Sums(noneJudged)
  for (const { labels, value } of counted.scalars('slo_requests_total')) {
    const sum = sums.of(label === null ? '' : (labels['model'] ?? ''))
    for (const name of objectiveNames) {
      if (labels['slo'] === name) sum[name][labels['met'] === 'true' ? 'met' : 'missed'] += value
    }
    yield
  }
  return (name: string) => (isFolded(name, sums, counted) ? null : sums.at(name))
}

function isFolded(name: string, sums: Sums<unknown>, { folded }: Counted): boolean {
  return folded > 0 && name !== '' && !sums.has(name)
}

function addTo(counts: Record<string, number>, name = '', count: number): void {
  if (count > 0) counts[name] = (counts[name] ?? 0) + count
}
