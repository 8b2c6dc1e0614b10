/** Part 2: what a streamed token costs and how much later it comes, at fixed rates, spread and in bursts as engines emit them. */
import { tokensPerSecondMax } from '../calibration.ts'
import { type Cost, costOf, noteLoadShare } from '../cost.ts'
import { bufferingIn, modesIn, tokensPerRead } from '../findings.ts'
import type { Arrivals } from '../load/load-order.ts'
import type { Rig } from '../rig.ts'
import { inRounds, type Measured, medianOf, type Round, rowOf } from '../rounds.ts'
import { unhurried } from '../scale.ts'
import type { BenchPart, Row } from './part.ts'

export const tokensPart: BenchPart = {
  name: 'tokens',
  words: 'CPU of a streamed token, and the time that is added on its way',
  run: tokenRows,
}

/** How tokens come in one measurement. */
export interface TokenLoad {
  readonly words: string
  readonly streams: number
  readonly everyMs: number
  readonly burst: number | null
}

const slots = 512
const everyMs = 10
const ratesWanted = [2_000, 6_000, 12_000]
const bursts = [32, 128]
/** Of a core of the gateway, under bursts. */
const burstShare = 0.6
/** Alone on its way, and often enough for a percentile. */
const single: TokenLoad = { words: 'one stream', streams: 1, everyMs: 2, burst: null }
const warmUpStreams = 50
const warmUpMs = 1_200
/** Until a load runs as it will. */
const leadMs = 300
/** In which streams begin: what they cost at their beginning is not the cost of tokens. */
const beginMs = 100
const windowMs = 1_200
/** What a token costs is not seen in less. */
const windowMsMin = 100

/** In a read of the clients. */
const togetherMax = 1.3

type Figures = ReadonlyMap<string, Cost<Arrivals>>

async function tokenRows(rig: Rig): Promise<readonly Row[]> {
  const calibration = await rig.calibration()
  const most = tokensPerSecondMax(calibration)
  const steady = steadyLoads(most)
  if (most < Math.max(...ratesWanted)) {
    rig.note(`rates of tokens are scaled down: this machine carries ${most.toFixed(0)} tokens/s before a core is full`)
  }
  const inBursts = bursts.map((burst) =>
    burstLoad(burst, (burstShare * 1e6) / Math.max(1, calibration.usPerToken), most),
  )
  const loads = [single, ...steady, ...inBursts]
  const rounds = await inRounds(rig, { part: 'tokens', wanted: { slots } }, (measured) =>
    figuresOf(measured, rig, loads),
  )
  noteFindings(rig, rounds, loads)
  return [
    ...steady.map((load) => costRow(rounds, load)),
    ...inBursts.map((load) => costRow(rounds, load)),
    ...singleRows(rounds),
    ...inBursts.map((load) => burstRow(rounds, load)),
  ]
}

/** The wanted rates, or the same shares of what can be carried. */
export function steadyLoads(most: number): TokenLoad[] {
  const factor = Math.min(1, most / Math.max(...ratesWanted))
  return ratesWanted.map((wanted) => {
    const streams = Math.max(1, Math.round((wanted * factor * everyMs) / 1_000))
    return { words: `${(streams * 1_000) / everyMs} tokens/s`, streams, everyMs, burst: null }
  })
}

/** Whole bursts, as many as make up the rate. */
export function burstLoad(burst: number, wantedPerSecond: number, most: number): TokenLoad {
  const perSecond = Math.min(wantedPerSecond, most, Math.max(...ratesWanted))
  const groups = Math.max(1, Math.floor((perSecond * everyMs) / 1_000 / burst))
  const streams = groups * burst
  const every = Math.max(1, Math.round((streams * 1_000) / perSecond))
  const rate = ((streams * 1_000) / every).toFixed(0)
  return { words: `bursts of ${burst}, ${rate} tokens/s`, streams, everyMs: every, burst }
}

async function figuresOf(measured: Measured, rig: Rig, loads: readonly TokenLoad[]): Promise<Figures> {
  await measureTokens(
    measured,
    { words: '', streams: warmUpStreams, everyMs, burst: null },
    warmUpMs * unhurried(rig.scale),
  )
  const found = new Map<string, Cost<Arrivals>>()
  for (const load of loads) found.set(load.words, await measureTokens(measured, load, windowMs * rig.scale))
  return found
}

export async function measureTokens(
  measured: Measured,
  { streams, everyMs: every, burst }: TokenLoad,
  wantedMs: number,
): Promise<Cost<Arrivals>> {
  const { stub, generator, to } = measured
  const forMs = Math.max(windowMsMin, wantedMs)
  await stub.mode({ everyMs: every, burst })
  // More than are awaited: nobody ends before the measurement does.
  const tokens = Math.ceil((3 * (forMs + leadMs)) / every) + 100
  await generator.openStreams({ ...to, streams, tokens, withinMs: Math.max(every, beginMs) })
  await generator.window(Math.min(leadMs, forMs))
  const cost = await costOf(measured, () => generator.window(forMs))
  await generator.endStreams(streams)
  return cost
}

export function usPerToken({ cpuUs, result }: Cost<Arrivals>): number | null {
  return cpuUs === null || result.tokens === 0 ? null : cpuUs / result.tokens
}

function costRow(rounds: readonly Round<Figures>[], { words, burst }: TokenLoad): Row {
  const bounds = burst === null ? { must: 45, goal: 28 } : {}
  return rowOf(rounds, {
    figure: `CPU a token, ${words}`,
    unit: 'µs',
    ...bounds,
    ratioMust: 2.6,
    ratioGoal: 1.5,
    compared: true,
    of: (figures) => usPerToken(figures.get(words)!),
  })
}

function singleRows(rounds: readonly Round<Figures>[]): Row[] {
  const row = (of: 'p50' | 'p99', must: number, goal: number): Row => {
    const value = (figures: Figures) => figures.get(single.words)!.result.oneWay[of] / 1e6
    const direct = medianOf(rowOf(rounds, { figure: '', unit: '', of: value }), 'direct')
    const note = direct === null ? {} : { note: `direct it is ${direct.toFixed(3)} ms` }
    return rowOf(rounds, {
      figure: `added on the way of a token, one stream, ${of}`,
      unit: 'ms',
      must,
      goal,
      added: true,
      of: value,
      ...note,
    })
  }
  return [row('p50', 0.15, 0.06), row('p99', 1, 0.3)]
}

/** The last token of a burst waits for all before it, so its bounds are so many times what one costs the gateway. */
function burstRow(rounds: readonly Round<Figures>[], { words, burst }: TokenLoad): Row {
  const usEach = medianOf(
    rowOf(rounds, { figure: '', unit: '', of: (figures) => usPerToken(figures.get(words)!) }),
    'gateway',
  )
  const burstMs = usEach === null || burst === null ? null : (burst * usEach) / 1_000
  return rowOf(rounds, {
    figure: `added on the way of a token, ${words}, p99`,
    unit: 'ms',
    must: burstMs === null ? null : 2 * burstMs,
    goal: burstMs === null ? null : 1.2 * burstMs,
    added: true,
    of: (figures) => figures.get(words)!.result.oneWay.p99 / 1e6,
    ...(burstMs === null
      ? {}
      : { note: `bounds: 2 and 1.2 times a burst of the gateway, which takes ${burstMs.toFixed(2)} ms` }),
  })
}

function noteFindings(rig: Rig, rounds: readonly Round<Figures>[], loads: readonly TokenLoad[]): void {
  for (const round of rounds) {
    const direct = round.get('direct')
    for (const [name, figures] of round) {
      for (const { words } of loads) {
        const through = figures.get(words)!
        noteLoadShare(rig, `${words} through ${name}`, through)
        const together = tokensPerRead(through.result)
        if (together > togetherMax) {
          rig.note(
            `${words} through ${name}: ${together.toFixed(1)} tokens in a read, so their cost is that of tokens which came together`,
          )
        }
        const base = direct?.get(words)?.result
        if (name === 'direct' || base === undefined) continue
        const gathered = bufferingIn(through.result, base)
        if (gathered !== null) rig.note(`${words} through ${name}: ${gathered}`)
        // In a burst, and among many streams, a token waits for others, which makes peaks of its own.
        if (words !== single.words) continue
        for (const peak of modesIn(through.result.oneWay, base.oneWay)) rig.note(`${words} through ${name}: ${peak}`)
      }
    }
  }
}
