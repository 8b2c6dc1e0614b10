/** The two figures that no change may make much dearer, as ratios to nginx in the same round: those of another machine can be told from them. */
import { setTimeout as pause } from 'node:timers/promises'
import { costOf } from './cost.ts'
import { closedLoopClients, requestBodyBytes, settleMs } from './parts/requests.ts'
import { measureTokens, usPerToken } from './parts/tokens.ts'
import type { Rig } from './rig.ts'
import { inRounds, type Measured, rowOf } from './rounds.ts'
import { unhurried } from './scale.ts'
import type { Spread } from './statistics.ts'

export const gateFigureNames = ['CPU a request', 'CPU a token'] as const
export type GateFigureName = (typeof gateFigureNames)[number]

export interface GateFigure {
  readonly name: GateFigureName
  readonly ratioToNginx: Spread
  /** Microseconds. */
  readonly gateway: Spread
  readonly nginx: Spread
}

/** What is committed. */
export interface Recorded {
  readonly commit: string
  readonly machine: string
  readonly node: string
  readonly nginx: string
  readonly rounds: number
  readonly figures: readonly GateFigure[]
}

export interface GateVerdict {
  readonly name: GateFigureName
  readonly isBeyond: boolean
  readonly words: string
}

/** Before it, a change is not told from the noise of a shared machine. */
const dearerMax = 0.15
const warmUpRequests = 30_000
const requests = 2_500
const tokenLoad = { words: 'tokens', streams: 40, everyMs: 10, burst: null }
const tokensForMs = 1_500
const slots = 256

export async function gateFigures(rig: Rig): Promise<GateFigure[]> {
  const rounds = await inRounds(rig, { part: 'gate', wanted: { slots } }, (measured) => costsOf(measured, rig.scale))
  return gateFigureNames.flatMap((name) => {
    const { byTarget, ratioToNginx } = rowOf(rounds, {
      figure: name,
      unit: 'µs',
      compared: true,
      of: (costs) => costs[name],
    })
    const { gateway, nginx } = byTarget
    return ratioToNginx === null || gateway === undefined || nginx === undefined
      ? []
      : [{ name, ratioToNginx, gateway, nginx }]
  })
}

async function costsOf(measured: Measured, scale: number): Promise<Record<GateFigureName, number | null>> {
  const { generator, to } = measured
  const answers = {
    ...to,
    kind: 'request',
    clients: closedLoopClients,
    tokens: 1,
    bodyBytes: requestBodyBytes,
  } as const
  await generator.closedLoop({ ...answers, requests: Math.ceil(warmUpRequests * unhurried(scale)) })
  await pause(settleMs * unhurried(scale))
  const closed = await costOf(
    measured,
    () => generator.closedLoop({ ...answers, requests: Math.ceil(requests * scale) }),
    settleMs * unhurried(scale),
  )
  await measureTokens(measured, tokenLoad, (tokensForMs / 2) * scale)
  const token = await measureTokens(measured, tokenLoad, tokensForMs * scale)
  return {
    'CPU a request': closed.cpuUs === null ? null : closed.cpuUs / closed.result.answers,
    'CPU a token': usPerToken(token),
  }
}

/** By the medians; an interval that reaches over the bound is said. */
export function gateVerdicts(found: readonly GateFigure[], recorded: Recorded): GateVerdict[] {
  return recorded.figures.map(({ name, ratioToNginx: before }) => {
    const now = found.find((figure) => figure.name === name)?.ratioToNginx
    if (now === undefined) return { name, isBeyond: true, words: `${name}: was not measured` }
    const most = before.median * (1 + dearerMax)
    const isBeyond = now.median > most
    const isSure = now.low > most === now.high > most
    const change = (now.median / before.median - 1) * 100
    return {
      name,
      isBeyond,
      words: [
        `${name}: × ${now.median.toFixed(2)} of nginx (${now.low.toFixed(2)} to ${now.high.toFixed(2)}), recorded × ${before.median.toFixed(2)}, ${change < 0 ? '' : '+'}${change.toFixed(0)} %`,
        isBeyond ? `beyond ${dearerMax * 100} %` : `within ${dearerMax * 100} %`,
        ...(isSure ? [] : ['by the median alone: the noise of this run allows both']),
      ].join('; '),
    }
  })
}
