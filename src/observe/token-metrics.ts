/** Tokens in metrics: the series of each tally are looked up once in a generation, and from then on a scrape only adds to them. */

import type { Steps } from '../base/steps.ts'
import type { TokenTotals } from '../metering/events.ts'
import { isAmount, type Scalar } from './series.ts'
import type { CounterName, Labels, SeriesTable } from './series-table.ts'

/** What a token counts for where keys are compared. */
export interface TokenCosts {
  /** Of the prompt, unless it came from a cache. */
  readonly input: number
  readonly output: number
}

export class TokenMetrics {
  readonly #table: SeriesTable
  readonly #columns: readonly Column[]
  readonly #followed = new WeakMap<TokenTotals, Followed>()

  constructor(table: SeriesTable, costs: TokenCosts) {
    this.#table = table
    this.#columns = columnsOf(costs)
  }

  /**
   * `tallies` live long and only grow. `readTogether` is called in the turn in which the tokens are read that are divided
   * by seconds, and what it read is returned at the end.
   */
  *write<Read>(tallies: Iterable<TokenTotals>, readTogether: () => Read): Steps<Read> {
    const followed: Followed[] = []
    for (const tally of tallies) {
      followed.push(this.#follow(tally))
      yield
    }
    for (const one of followed) one.readMoment()
    const read = readTogether()
    yield
    for (const one of followed) {
      this.#catchUp(one)
      yield
    }
    return read
  }

  #follow(tally: TokenTotals): Followed {
    const known = this.#followed.get(tally)
    const { generation } = this.#table
    if (known?.generation === generation) return known
    const followed = known ?? new Followed(tally, this.#columns.length)
    followed.series = this.#columns.map(({ seriesOf }) => seriesOf(this.#table, tally))
    followed.generation = generation
    this.#followed.set(tally, followed)
    return followed
  }

  #catchUp(followed: Followed): void {
    const { series, seen } = followed
    for (const [at, { amountOf }] of this.#columns.entries()) {
      const amount = amountOf(followed)
      if (!isAmount(amount)) continue
      series[at]?.add(amount - (seen[at] ?? 0))
      seen[at] = amount
    }
  }
}

class Followed {
  readonly tally: TokenTotals
  /** By column. */
  series: readonly Scalar[] = []
  /** Of the table, when they were looked up. */
  generation = -1
  /** By column: what was added so far, to whichever series. */
  readonly seen: Float64Array
  output = 0
  decoded = 0
  decodedSeconds = 0
  prefilled = 0
  prefilledSeconds = 0

  constructor(tally: TokenTotals, columns: number) {
    this.tally = tally
    this.seen = new Float64Array(columns)
  }

  /** What is divided by seconds, and these. */
  readMoment(): void {
    const { output, decoded, decodedSeconds, prefilled, prefilledSeconds } = this.tally
    this.output = output
    this.decoded = decoded
    this.decodedSeconds = decodedSeconds
    this.prefilled = prefilled
    this.prefilledSeconds = prefilledSeconds
  }
}

/** One figure of a tally, and the counter that follows it. */
interface Column {
  readonly seriesOf: (table: SeriesTable, tally: TokenTotals) => Scalar
  readonly amountOf: (followed: Followed) => number
}

function column<N extends CounterName>(
  name: N,
  labelsOf: (tally: TokenTotals) => Labels<N>,
  amountOf: (followed: Followed) => number,
): Column {
  return { seriesOf: (table, tally) => table.counter(name, labelsOf(tally)), amountOf }
}

const ofType =
  (type: 'output' | 'input' | 'cached_input' | 'reasoning') =>
  ({ model, host, key }: TokenTotals) => ({ model, host, key, type })
const ofPlace = ({ model, host }: TokenTotals) => ({ model, host })
const ofHost = ({ host }: TokenTotals) => ({ host })
const ofKey = ({ key }: TokenTotals) => ({ key })

/** The measure by which the line is fair. */
export function serviceCost(
  { input, cachedInput, output }: Pick<TokenTotals, 'input' | 'cachedInput' | 'output'>,
  costs: TokenCosts,
): number {
  return Math.max(0, input - cachedInput) * costs.input + output * costs.output
}

function columnsOf(costs: TokenCosts): readonly Column[] {
  return [
    column('tokens_total', ofType('output'), ({ output }) => output),
    column('decode_tokens_total', ofPlace, ({ decoded }) => decoded),
    column('decode_token_seconds_total', ofPlace, ({ decodedSeconds }) => decodedSeconds),
    column('prefill_tokens_total', ofPlace, ({ prefilled }) => prefilled),
    column('prefill_token_seconds_total', ofPlace, ({ prefilledSeconds }) => prefilledSeconds),
    column('tokens_total', ofType('input'), ({ tally }) => tally.input),
    column('tokens_total', ofType('cached_input'), ({ tally }) => tally.cachedInput),
    column('tokens_total', ofType('reasoning'), ({ tally }) => tally.reasoning),
    column('discarded_tokens_total', ofPlace, ({ tally }) => tally.discarded),
    column('usage_rejected_total', ofHost, ({ tally }) => tally.usageRejected),
    column('bad_frames_total', ofHost, ({ tally }) => tally.badFrames),
    // From the same tallies as the tokens themselves, so that the two cannot tell different stories.
    column('key_service_cost_total', ofKey, ({ output, tally: { input, cachedInput } }) => {
      return serviceCost({ input, cachedInput, output }, costs)
    }),
  ]
}
