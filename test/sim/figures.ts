/** The figures of merit of one run: of everything, and of each stream of requests. */
import type { Ended, Run, ToldWait } from './ended.ts'
import { usualPatienceMs } from './workload.ts'

/** Waits that a person notices. */
const noticedMs = 2_000

/** How a figure is named in a table and written there, and which way it gets worse. */
export interface Figure {
  readonly head: string
  readonly digits: number
  readonly worse: 'higher' | 'lower'
}

export const overallFigures = {
  requests: { head: 'requests', digits: 0, worse: 'lower' },
  outputPerSecond: { head: 'out tok/s', digits: 1, worse: 'lower' },
  gapMax: { head: 'gap max', digits: 0, worse: 'higher' },
  gapBound: { head: 'gap bound', digits: 0, worse: 'lower' },
  gapMean: { head: 'gap mean', digits: 0, worse: 'higher' },
  jain: { head: 'Jain 60 s', digits: 2, worse: 'lower' },
  waitMax: { head: 'longest wait s', digits: 0, worse: 'higher' },
  loads: { head: 'loads', digits: 0, worse: 'higher' },
  loadShare: { head: 'load %', digits: 1, worse: 'higher' },
  killed: { head: 'killed', digits: 0, worse: 'higher' },
  hitShare: { head: 'hit %', digits: 0, worse: 'lower' },
  lost: { head: 'lost', digits: 0, worse: 'higher' },
  wastedTokens: { head: 'wasted tok', digits: 0, worse: 'higher' },
  told: { head: 'waits told', digits: 0, worse: 'lower' },
  p90Covers: { head: '≤ p90 %', digits: 0, worse: 'lower' },
  p50Near: { head: 'p50 in 2× %', digits: 0, worse: 'lower' },
  p90CoversNoticed: { head: '> 2 s: ≤ p90 %', digits: 0, worse: 'lower' },
  p50NearNoticed: { head: 'p50 in 2× %', digits: 0, worse: 'lower' },
} as const satisfies Readonly<Record<string, Figure>>

export const streamFigures = {
  requests: { head: 'requests', digits: 0, worse: 'lower' },
  doneShare: { head: 'done %', digits: 0, worse: 'lower' },
  firstTokenP50: { head: 'TTFT p50 s', digits: 1, worse: 'higher' },
  firstTokenP95: { head: 'p95 s', digits: 1, worse: 'higher' },
  firstTokenP99: { head: 'p99 s', digits: 1, worse: 'higher' },
  perTokenP50: { head: 'TPOT p50 ms', digits: 0, worse: 'higher' },
  perTokenP95: { head: 'p95 ms', digits: 0, worse: 'higher' },
  goodShare: { head: 'good %', digits: 1, worse: 'lower' },
  goodPerSecond: { head: 'good tok/s', digits: 1, worse: 'lower' },
  refusedShare: { head: `refused % at ${usualPatienceMs / 1000} s`, digits: 0, worse: 'higher' },
} as const satisfies Readonly<Record<string, Figure>>

type Overall = Readonly<Record<keyof typeof overallFigures, number>>
type OfStream = Readonly<Record<keyof typeof streamFigures, number>>

export interface Figures {
  readonly overall: Overall
  /** By the names of the streams; those of one name are judged together. */
  readonly streams: Readonly<Record<string, OfStream>>
}

/** `impatient`: the same requests with the patience of the gateway; what it refuses of them stands beside the rest. */
export function figuresOf(run: Run, impatient: Run | null = null): Figures {
  const byStream = byStreamOf(run)
  const byImpatient = impatient === null ? null : byStreamOf(impatient)
  const noticed = run.told.filter(({ waitMs }) => waitMs > noticedMs)
  return {
    overall: {
      requests: run.ended.length,
      outputPerSecond: run.written / (run.durationMs / 1000),
      gapMax: run.gapMax,
      // Where models take turns in memory, a key whose model is not there falls behind by no choice of the line.
      gapBound: Number.isNaN(run.loads) ? run.gapBound : Number.NaN,
      gapMean: run.gapMean,
      jain: run.jain.length === 0 ? Number.NaN : sumOf(run.jain, (index) => index) / run.jain.length,
      waitMax: run.ended.reduce((most, one) => Math.max(most, waitedMs(one)), 0) / 1000,
      loads: run.loads,
      loadShare: percent(run.loadingMs, run.hosts * run.durationMs),
      killed: run.killed,
      hitShare: hitShare(run),
      lost: run.ended.filter(({ ending, firstTokenAtMs }) => ending === 'lost' && firstTokenAtMs === null).length,
      wastedTokens: sumOf(run.ended, wasted),
      told: run.told.length,
      ...coverage(run.told),
      p90CoversNoticed: coverage(noticed).p90Covers,
      p50NearNoticed: coverage(noticed).p50Near,
    },
    streams: Object.fromEntries(
      [...byStream].map(([name, ended]) => [
        name,
        { ...figuresOfStream(ended, run.durationMs / 1000), refusedShare: refusedShare(byImpatient?.get(name) ?? []) },
      ]),
    ),
  }
}

function byStreamOf({ ended }: Run): Map<string, Ended[]> {
  return Map.groupBy(ended, ({ arrival }) => arrival.stream.name)
}

function refusedShare(ended: readonly Ended[]): number {
  return percent(ended.filter(({ ending }) => ending === 'refused').length, ended.length)
}

function figuresOfStream(ended: readonly Ended[], seconds: number): Omit<OfStream, 'refusedShare'> {
  const firstTokens = ended.filter(({ ending }) => ending !== 'refused').map(firstTokenMs)
  const perToken = ended.filter(({ ending }) => ending === 'done').map(timePerTokenMs)
  const good = ended.filter(isGood)
  return {
    requests: ended.length,
    doneShare: percent(perToken.length, ended.length),
    firstTokenP50: quantile(firstTokens, 0.5) / 1000,
    firstTokenP95: quantile(firstTokens, 0.95) / 1000,
    firstTokenP99: quantile(firstTokens, 0.99) / 1000,
    perTokenP50: quantile(perToken, 0.5),
    perTokenP95: quantile(perToken, 0.95),
    // Of those that were refused, that left and that are not done too: shedding makes no goodput.
    goodShare: percent(good.length, ended.length),
    goodPerSecond: sumOf(good, ({ written }) => written) / seconds,
  }
}

/** Who has none yet counts with its age, or waiting without end would look like nothing. */
function firstTokenMs({ arrival, firstTokenAtMs, atMs }: Ended): number {
  return (firstTokenAtMs ?? atMs) - arrival.atMs
}

/** For a slot, and for the model. */
function waitedMs({ arrival, grantedAtMs, atMs }: Ended): number {
  return (grantedAtMs ?? atMs) - arrival.atMs
}

function timePerTokenMs({ firstTokenAtMs, atMs, arrival }: Ended): number {
  return firstTokenAtMs === null ? Number.NaN : (atMs - firstTokenAtMs) / Math.max(1, arrival.output - 1)
}

function isGood(one: Ended): boolean {
  const { objective } = one.arrival.stream
  return (
    one.ending === 'done' &&
    firstTokenMs(one) <= objective.firstTokenMs &&
    timePerTokenMs(one) <= objective.timePerOutputTokenMs
  )
}

/** Read and written for nothing: for clients that have left, and by attempts that were not the last. */
function wasted({ ending, read, written, arrival }: Ended): number {
  if (ending === 'left' || ending === 'refused' || ending === 'lost') return read + written
  return Math.max(0, read - arrival.input)
}

/** Tokens of prompts that hosts had kept, of those that one cache would have had that keeps everything, in per cent. */
function hitShare({ ended, blockTokens }: Run): number {
  const seen = new Set<number>()
  let reusable = 0
  for (const { arrival } of ended.toSorted((a, b) => a.arrival.atMs - b.arrival.atMs)) {
    const { blocks = [], answerBlocks = [], input } = arrival
    const known = blocks.findIndex((block) => !seen.has(block))
    reusable += Math.min(input, (known < 0 ? blocks.length : known) * blockTokens)
    for (const block of [...blocks, ...answerBlocks]) seen.add(block)
  }
  return percent(
    sumOf(ended, ({ cached }) => cached),
    reusable,
  )
}

function coverage(told: readonly ToldWait[]): { p90Covers: number; p50Near: number } {
  const covered = told.filter(({ waitMs, p90Ms }) => waitMs <= p90Ms).length
  const near = told.filter(({ waitMs, p50Ms }) => waitMs <= 2 * p50Ms && p50Ms <= 2 * waitMs).length
  return { p90Covers: percent(covered, told.length), p50Near: percent(near, told.length) }
}

/** By nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

function percent(part: number, whole: number): number {
  return whole === 0 ? Number.NaN : (100 * part) / whole
}

function sumOf<Item>(items: readonly Item[], valueOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0)
}
