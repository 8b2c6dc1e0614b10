/** What delays give away beside their size: a proxy that holds back, timers that wait for each other, a host at its end. */
import type { Arrivals, Delays } from './load/load-order.ts'

/** By how much events must be closer than they were sent before somebody is said to gather them. */
const gapShareMin = 0.8
const readsShareMin = 0.7

/** Whether events are gathered on the way; null where they are not. */
export function bufferingIn(through: Arrivals, direct: Arrivals): string | null {
  if (through.gap.p50 >= direct.gap.p50 * gapShareMin) return null
  if (tokensPerRead(direct) / tokensPerRead(through) > readsShareMin) return null
  return `events came ${ms(through.gap.p50)} apart and ${tokensPerRead(through).toFixed(1)} in a read; direct, ${ms(direct.gap.p50)} and ${tokensPerRead(direct).toFixed(1)}: somebody gathers them`
}

/** Tokens in a read of the clients; where it is many, what is known is the cost of tokens that came together. */
export function tokensPerRead({ tokens, reads }: Arrivals): number {
  return tokens / Math.max(1, reads)
}

interface Mode {
  readonly words: string
  /** In tenths of a millisecond, the last one not included. */
  readonly from: number
  readonly to: number
  readonly shareMin: number
}

const modes: readonly Mode[] = [
  {
    words: '1.0 to 1.4 ms, as where a client looks at an idle socket before each use of it',
    from: 10,
    to: 15,
    shareMin: 0.05,
  },
  { words: '38 to 45 ms, as where Nagle waits for a delayed acknowledgement', from: 380, to: 450, shareMin: 0.002 },
]
/** So many times more than around it. */
const peakMin = 4

/** Peaks at the places that are known for a fault, where the host itself has none. */
export function modesIn(through: Delays, direct: Delays): string[] {
  return modes
    .filter((mode) => hasPeak(through, mode) && !hasPeak(direct, mode))
    .map(({ words }) => `a peak of delays at ${words}`)
}

function hasPeak({ tenths, count }: Delays, { from, to, shareMin }: Mode): boolean {
  const width = to - from
  const within = sum(tenths.slice(from, to))
  const around = sum(tenths.slice(from - width, from)) + sum(tenths.slice(to, to + width))
  return within > shareMin * count && within > peakMin * (around / 2)
}

/** Of the ceiling of the stub itself. */
const stubBoundShare = 0.9

export function boundByStub(perSecond: number, stubPerSecond: number): boolean {
  return perSecond >= stubBoundShare * stubPerSecond
}

/** Of what it was to measure. */
const lateShareMax = 0.1

/** Whether the clients themselves were too late for a delay of this size to mean anything. */
export function clientsWereLate({ late, first }: Arrivals): boolean {
  return late.p99 > lateShareMax * first.p99
}

function sum(values: readonly number[]): number {
  return values.reduce((so, value) => so + value, 0)
}

function ms(ns: number): string {
  return `${(ns / 1e6).toFixed(2)} ms`
}
