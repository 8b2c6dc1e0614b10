/** How much this machine can carry, so that what is measured at some rate is not measured at the end of its strength. */
import { costOf } from './cost.ts'
import type { Rig } from './rig.ts'
import { unhurried } from './scale.ts'

export interface Calibration {
  /** Of the gateway, or of the first proxy where there is none. */
  readonly usPerToken: number
  readonly usPerRequest: number
  /** Of stub and generator together. */
  readonly loadUsPerToken: number
  readonly loadUsPerRequest: number
}

const warmUpRequests = 1_500
const requests = 1_500
const clients = 32
const streams = 40
const everyMs = 10
const windowMs = 1_500
const bodyBytes = 2_048

export async function calibrate(rig: Rig): Promise<Calibration> {
  const maker = rig.maker('gateway') ?? rig.makers.at(-1)!
  await using stub = await rig.stub()
  await using generator = await rig.generator()
  await using target = await maker.start({ hostUrl: stub.url, slots: 256, core: rig.cores.gateway })
  const parties = { target, stub, generator }
  const { url, key, receipts } = target
  const to = { url, key, receipts }
  const amount = (full: number) => Math.ceil(full * unhurried(rig.scale))
  const answers = { ...to, kind: 'request', clients, tokens: 1, bodyBytes } as const
  await generator.closedLoop({ ...answers, requests: amount(warmUpRequests) })
  const request = await costOf(parties, () => generator.closedLoop({ ...answers, requests: amount(requests) }))
  await stub.mode({ everyMs })
  await generator.openStreams({ ...to, streams, tokens: (amount(windowMs) * 4) / everyMs, withinMs: everyMs })
  await generator.window(amount(windowMs))
  const token = await costOf(parties, () => generator.window(amount(windowMs)))
  await generator.endStreams(streams)
  const each = (us: number | null, count: number) => (us === null ? 0 : us / Math.max(1, count))
  return {
    usPerToken: each(token.cpuUs, token.result.tokens),
    usPerRequest: each(request.cpuUs, request.result.answers),
    loadUsPerToken: each(token.loadCpuUs, token.result.tokens),
    loadUsPerRequest: each(request.loadCpuUs, request.result.answers),
  }
}

/** Of a core; beyond, delays are those of a line before it and not those of the work. */
const shareMax = 0.8

/** At most so many per second that neither the gateway's core nor that of the load is full. */
export function tokensPerSecondMax({ usPerToken, loadUsPerToken }: Calibration): number {
  return (shareMax * 1e6) / Math.max(usPerToken, loadUsPerToken, 1)
}
