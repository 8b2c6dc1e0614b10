/** Part 1: what a whole answer costs, and how much later the first token comes: one request at a time, and at 60 % of a core. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Calibration } from '../calibration.ts'
import { type Cost, costOf, noteLoadShare } from '../cost.ts'
import { clientsWereLate, modesIn } from '../findings.ts'
import type { Arrivals, PairArrivals } from '../load/load-order.ts'
import type { Rig } from '../rig.ts'
import { inRounds, type Measured, medianOf, type Round, rowOf } from '../rounds.ts'
import { unhurried } from '../scale.ts'
import type { BenchPart, Row } from './part.ts'

export const requestsPart: BenchPart = {
  name: 'requests',
  words: 'CPU of a whole answer, and the time that is added to the first token',
  run: requestRows,
}

export const requestBodyBytes = 2_048
const slots = 256
/** Enough of them for compiled code, connections and caches to be as they stay: at the tenth thousand a request still costs twice as much. */
export const warmUpRequests = 30_000
const closedLoopRequests = 10_000
export const closedLoopClients = 32
const openLoopMs = 2_000
/** Of what the gateway can take, for a cost at a steady rate. */
const steadyShare = 0.5
const pairs = 300
export const settleMs = 250
/** Of the mixed load under which the first token is awaited. */
const loadedShare = 0.6
const loadedTokens = 20
const loadedMs = 3_000
/** Where its clients were late, which is mostly the machine's mood. */
const loadedAgainMax = 2

interface Figures {
  readonly closed: Cost<Arrivals>
  readonly steady: Cost<Arrivals>
  readonly pairs: PairArrivals
  readonly loaded: Cost<Arrivals>
  /** Its clients were late themselves, by too much for what is measured. */
  readonly loadedIsVoid: boolean
}

async function requestRows(rig: Rig): Promise<readonly Row[]> {
  const calibration = await rig.calibration()
  const perSecond = Math.ceil(
    steadyShare * Math.min(1e6 / calibration.usPerRequest, 1e6 / calibration.loadUsPerRequest),
  )
  const rounds = await inRounds(rig, { part: 'requests', wanted: { slots } }, (measured) =>
    figuresOf(measured, rig, { perSecond, loadedPerSecond: loadedRate(calibration) }),
  )
  noteFindings(rig, rounds)
  return [...costRows(rounds, perSecond), ...firstTokenRows(rounds, loadedRate(calibration))]
}

/** Streams that begin each second so that the gateway is at work for its share of a core. */
function loadedRate({ usPerRequest, usPerToken, loadUsPerRequest, loadUsPerToken }: Calibration): number {
  const ownUs = usPerRequest + loadedTokens * usPerToken
  const loadUs = loadUsPerRequest + loadedTokens * loadUsPerToken
  return Math.max(1, Math.floor((loadedShare * 1e6) / Math.max(ownUs, loadUs, 1)))
}

async function figuresOf(
  measured: Measured,
  rig: Rig,
  { perSecond, loadedPerSecond }: { perSecond: number; loadedPerSecond: number },
): Promise<Figures> {
  const { to, direct, stub, generator } = measured
  const amount = (full: number) => Math.ceil(full * rig.scale)
  const answers = {
    ...to,
    kind: 'request',
    clients: closedLoopClients,
    tokens: 1,
    bodyBytes: requestBodyBytes,
  } as const
  await generator.closedLoop({ ...answers, requests: Math.ceil(warmUpRequests * unhurried(rig.scale)) })
  const restMs = settleMs * unhurried(rig.scale)
  await pause(restMs)
  const closed = await costOf(
    measured,
    () => generator.closedLoop({ ...answers, requests: amount(closedLoopRequests) }),
    restMs,
  )
  const seed = rig.random.between(1, 1e9)
  const openLoop = { ...to, schedule: 'poisson', seed, bodyBytes: requestBodyBytes } as const
  const steady = await costOf(
    measured,
    () => generator.openLoop({ ...openLoop, kind: 'request', perSecond, forMs: amount(openLoopMs), tokens: 1 }),
    restMs,
  )
  // An event each millisecond, so that a stream is over as soon as it has begun.
  await stub.mode({ everyMs: 1 })
  const order = { one: direct, other: to, kind: 'stream', tokens: 1 } as const
  await generator.pairs({ ...order, pairs: amount(pairs / 10) })
  const found = await generator.pairs({ ...order, pairs: amount(pairs) })
  await stub.mode({})
  const streams = { ...openLoop, kind: 'stream', perSecond: loadedPerSecond, tokens: loadedTokens } as const
  await generator.openLoop({ ...streams, forMs: amount(loadedMs / 4) })
  const look = () => costOf(measured, () => generator.openLoop({ ...streams, forMs: amount(loadedMs) }))
  // What is direct is what others are held against: the lateness of its clients is in theirs as well.
  const isVoid = ({ result }: Cost<Arrivals>) => measured.name !== 'direct' && clientsWereLate(result)
  let loaded = await look()
  for (let again = 0; again < loadedAgainMax && isVoid(loaded); again++) loaded = await look()
  return { closed, steady, pairs: found, loaded, loadedIsVoid: isVoid(loaded) }
}

function costRows(rounds: readonly Round<Figures>[], perSecond: number): Row[] {
  const each = ({ cpuUs, result }: Cost<Arrivals>) => (cpuUs === null ? null : cpuUs / result.answers)
  const bounds = { unit: 'µs', must: 200, goal: 125, ratioMust: 6.5, ratioGoal: 4.5, compared: true }
  return [
    rowOf(rounds, {
      figure: `CPU a request, ${closedLoopClients} clients`,
      ...bounds,
      of: ({ closed }) => each(closed),
    }),
    rowOf(rounds, { figure: `CPU a request, ${perSecond}/s`, ...bounds, of: ({ steady }) => each(steady) }),
  ]
}

function firstTokenRows(rounds: readonly Round<Figures>[], loadedPerSecond: number): Row[] {
  const loadedWords = `${loadedPerSecond} streams/s of ${loadedTokens} tokens`
  const share = medianOf(rowOf(rounds, { figure: '', unit: '', of: ({ loaded }) => loaded.share }), 'gateway')
  const shareWords = share === null ? '' : `; the gateway was at work ${(share * 100).toFixed(0)} % of the time`
  const absolute = (of: (figures: Figures) => number) =>
    medianOf(rowOf(rounds, { figure: '', unit: '', of }), 'direct')?.toFixed(2) ?? '?'
  const late = rounds.flatMap((round) => [...round.values()]).filter(({ loadedIsVoid }) => loadedIsVoid)
  const alone = (of: 'p50' | 'p99', must: number, goal: number): Row => {
    const value = ({ pairs: { other } }: Figures) => other[of] / 1e6
    const base = ({ pairs: { one } }: Figures) => one[of] / 1e6
    return rowOf(rounds, {
      figure: `added to the first token, one at a time, ${of}`,
      unit: 'ms',
      must,
      goal,
      of: (figures) => value(figures) - base(figures),
      note: `direct it is ${absolute(base)} ms, in turn with each target`,
    })
  }
  const loaded = (of: 'p50' | 'p99', must: number, goal: number): Row => {
    const value = ({ loaded: { result }, loadedIsVoid }: Figures) => (loadedIsVoid ? null : result.first[of] / 1e6)
    return rowOf(rounds, {
      figure: `added to the first token, at 60 % of a core, ${of}`,
      unit: 'ms',
      must,
      goal,
      added: true,
      of: value,
      note: `${loadedWords}${shareWords}; direct it is ${absolute(({ loaded: { result } }) => result.first[of] / 1e6)} ms${late.length === 0 ? '' : `; ${late.length} measurements left out, whose clients were late themselves`}`,
    })
  }
  return [alone('p50', 0.5, 0.25), alone('p99', 2, 0.8), loaded('p50', 2, 1), loaded('p99', 10, 5)]
}

function noteFindings(rig: Rig, rounds: readonly Round<Figures>[]): void {
  for (const round of rounds) {
    for (const [name, { pairs: found, loaded, steady }] of round) {
      for (const words of modesIn(found.other, found.one)) rig.note(`first token through ${name}: ${words}`)
      noteLoadShare(rig, `first token at 60 % through ${name}`, loaded)
      noteLoadShare(rig, `whole answers at a steady rate through ${name}`, steady)
    }
  }
}
