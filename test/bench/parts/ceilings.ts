/** Part 3: how much one core carries: whole answers as fast as they come, and tokens until delays leave their bound. */
import { type Cost, costOf } from '../cost.ts'
import { boundByStub } from '../findings.ts'
import type { Arrivals } from '../load/load-order.ts'
import type { Rig } from '../rig.ts'
import { inRounds, type Measured, medianOf, type Round, rowOf } from '../rounds.ts'
import { fewRounds, unhurried } from '../scale.ts'
import { median } from '../statistics.ts'
import type { BenchPart, Row } from './part.ts'
import { closedLoopClients, requestBodyBytes } from './requests.ts'
import { measureTokens, usPerToken } from './tokens.ts'

export const ceilingsPart: BenchPart = {
  name: 'ceilings',
  words: 'what one core carries: requests a second, and tokens a second up to a bound of their delay',
  run: ceilingRows,
}

const slots = 1_024
/** A ceiling needs no more: what it is worth is seen from its curve. */
const roundsMax = 2
const warmUpRequests = 30_000
const closedLoopRequests = 3_000
const everyMs = 20
/** Of what a core carries by the cost of a token. */
const rungShares = [0.5, 0.7, 0.85, 1, 1.15]
const windowMs = 800
/** Of any proxy; a cost below it was not seen right. */
const usPerTokenMin = 5
const costStreams = 80
const boundsMs = [1, 5, 10, 50]
const headlineMs = 10
/** Of the tokens that were due; with fewer, the host was held up and the delays say nothing. */
const deliveredShareMin = 0.95

export interface Rung {
  readonly offered: number
  /** A second. */
  readonly delivered: number
  readonly p99Ms: number
}

interface Figures {
  readonly requestsPerSecond: number
  readonly requestLoadShare: number | null
  /** By what a token costs; of the host itself, by what it costs stub and clients. */
  readonly tokensPerSecondByCost: number
  readonly rungs: readonly Rung[]
}

async function ceilingRows(rig: Rig): Promise<readonly Row[]> {
  const rounds = await inRounds(
    rig,
    { part: 'ceilings', wanted: { slots }, rounds: fewRounds(rig.rounds, roundsMax) },
    (measured) => figuresOf(measured, rig),
  )
  noteStubBounds(rig, rounds)
  const requests = rowOf(rounds, {
    figure: 'requests/s of a core',
    unit: '1/s',
    must: 5_000,
    goal: 8_000,
    better: 'higher',
    compared: true,
    of: ({ requestsPerSecond }) => requestsPerSecond,
  })
  const tokens = boundsMs.map((boundMs) =>
    rowOf(rounds, {
      figure: `tokens/s of a core, 99 % within ${boundMs} ms`,
      unit: '1/s',
      ...(boundMs === headlineMs ? { must: 20_000, goal: 33_000, note: curveWords(rounds) } : {}),
      better: 'higher',
      compared: true,
      of: ({ rungs }) => capacityOf(rungs, boundMs),
    }),
  )
  const byCost = rowOf(rounds, {
    figure: 'tokens/s of a core, by the cost of one',
    unit: '1/s',
    better: 'higher',
    compared: true,
    of: ({ tokensPerSecondByCost }) => tokensPerSecondByCost,
  })
  return [requests, ...tokens, byCost]
}

/** The highest rate below the first that is held up or late: one that passes after another failed was lucky. */
export function capacityOf(rungs: readonly Rung[], boundMs: number): number {
  const failed = rungs.findIndex(
    ({ offered, delivered, p99Ms }) => p99Ms > boundMs || delivered < offered * deliveredShareMin,
  )
  const passed = failed < 0 ? rungs : rungs.slice(0, failed)
  return Math.max(0, ...passed.map(({ delivered }) => delivered))
}

async function figuresOf(measured: Measured, rig: Rig): Promise<Figures> {
  const { to, generator } = measured
  const amount = (full: number) => Math.ceil(full * rig.scale)
  const answers = {
    ...to,
    kind: 'request',
    clients: closedLoopClients,
    tokens: 1,
    bodyBytes: requestBodyBytes,
  } as const
  await generator.closedLoop({ ...answers, requests: Math.ceil(warmUpRequests * unhurried(rig.scale)) })
  const closed = await costOf(measured, () =>
    generator.closedLoop({ ...answers, requests: amount(closedLoopRequests) }),
  )
  const spread = { words: '', streams: costStreams, everyMs, burst: null }
  const forMs = windowMs * rig.scale
  await measureTokens(measured, spread, forMs)
  const cost = await measureTokens(measured, spread, forMs)
  const tokensPerSecondByCost = 1e6 / Math.max(usPerTokenMin, ownUs(cost) ?? 0)
  const most = Math.min(tokensPerSecondByCost, 1e6 / Math.max(usPerTokenMin, loadUs(cost) ?? 0))
  const rungs: Rung[] = []
  for (const share of rungShares) {
    const streams = Math.min(slots, Math.max(1, Math.round((share * most * everyMs) / 1_000)))
    if (streams * (1_000 / everyMs) === rungs.at(-1)?.offered) break
    const rung = await rungOf(measured, streams, forMs)
    rungs.push(rung)
    // Whatever is beyond would fail all bounds as well, or pass them by luck.
    if (rung.p99Ms > Math.max(...boundsMs)) break
  }
  const requestsPerSecond = (closed.result.answers * 1_000) / closed.result.tookMs
  return { requestsPerSecond, requestLoadShare: closed.loadShare, tokensPerSecondByCost, rungs }
}

async function rungOf(measured: Measured, streams: number, forMs: number): Promise<Rung> {
  const { result } = await measureTokens(measured, { words: '', streams, everyMs, burst: null }, forMs)
  return {
    offered: streams * (1_000 / everyMs),
    delivered: (result.tokens * 1_000) / result.tookMs,
    p99Ms: result.oneWay.p99 / 1e6,
  }
}

function ownUs(cost: Cost<Arrivals>): number | null {
  return cost.cpuUs === null ? loadUs(cost) : usPerToken(cost)
}

function loadUs({ loadCpuUs, result }: Cost<Arrivals>): number | null {
  return loadCpuUs === null || result.tokens === 0 ? null : loadCpuUs / result.tokens
}

/** Of the gateway, rung by rung over the rounds. */
function curveWords(rounds: readonly Round<Figures>[]): string {
  const curves = rounds.flatMap((round) => round.get('gateway')?.rungs ?? [])
  const byShare = rungShares.map((_, at) => rounds.flatMap((round) => round.get('gateway')?.rungs[at] ?? []))
  if (curves.length === 0) return 'no gateway was measured'
  const words = byShare
    .filter((rungs) => rungs.length > 0)
    .map((rungs) => {
      const of = (figure: keyof Rung) => median(rungs.map((rung) => rung[figure]))
      return `${of('offered').toFixed(0)}/s: ${of('delivered').toFixed(0)} came, 99 % within ${of('p99Ms').toFixed(1)} ms`
    })
  return `the gateway, rate by rate: ${words.join('; ')}`
}

/** A ceiling that is near that of the host itself is not that of the target. */
function noteStubBounds(rig: Rig, rounds: readonly Round<Figures>[]): void {
  const rows = [
    { words: 'requests/s', of: ({ requestsPerSecond }: Figures) => requestsPerSecond },
    { words: 'tokens/s', of: ({ rungs }: Figures) => capacityOf(rungs, headlineMs) },
  ]
  for (const { words, of } of rows) {
    const row = rowOf(rounds, { figure: words, unit: '1/s', of })
    const own = medianOf(row, 'direct')
    if (own === null || own === 0) continue
    rig.note(`stub and clients alone carry ${own.toFixed(0)} ${words} on their core`)
    for (const { name } of rig.makers) {
      const value = medianOf(row, name)
      if (name !== 'direct' && value !== null && boundByStub(value, own)) {
        rig.note(`${words} of ${name} are as many as stub and clients carry: its own ceiling is higher`)
      }
    }
  }
  for (const round of rounds) {
    for (const [name, { requestLoadShare }] of round) {
      if (name === 'direct' || (requestLoadShare ?? 0) <= loadShareEnough) continue
      rig.note(`requests/s of ${name}: stub and clients were at work all the time, so its own ceiling is higher`)
    }
  }
}

/** Of their core. */
const loadShareEnough = 0.9
