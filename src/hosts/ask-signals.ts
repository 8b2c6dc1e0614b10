/** Asks a host what it says of its load, beside its probe and with the same bounds. */
import type { Clock } from '../base/clock.ts'
import type { Host } from './host.ts'
import type { ProbeGet, SignalsSituation } from './kinds/host-kind.ts'
import type { SaidSignals } from './signals.ts'

export interface SignalRound extends SignalsSituation {
  readonly clock: Clock
  /** How often hosts are asked. */
  readonly everyMs: number
  /** What its probe told already, and when and beside how many of ours, and of other gateways, that was asked for. */
  readonly probe: {
    readonly running: number | undefined
    readonly askedAtMs: number
    readonly own: number
    readonly elsewhere: number
  }
}

/** Never rejects, and never makes a host down: an answer that does not come is one hint less. */
export async function askSignals(host: Host, get: ProbeGet, round: SignalRound): Promise<void> {
  if (!host.up) return
  const { clock, everyMs, probe } = round
  const { running, askedAtMs } = probe
  const asked = clock.now()
  const before = Math.max(probe.own, host.leases.size)
  const elsewhereBefore = Math.max(probe.elsewhere, host.elsewhere.held)
  const said = await saidBy(host, get, round)
  if (!host.up) return
  const own = Math.max(before, host.leases.size)
  const elsewhere = Math.max(elsewhereBefore, host.elsewhere.held)
  const isOfProbe = said.running === undefined
  const signals = isOfProbe ? { ...said, running } : said
  host.signals.told(signals, { own, elsewhere, askedAtMs: isOfProbe ? askedAtMs : asked, everyMs })
}

async function saidBy({ kind }: Host, get: ProbeGet, situation: SignalsSituation): Promise<SaidSignals> {
  try {
    return (await kind?.signals?.(get, situation)) ?? {}
  } catch {
    return {}
  }
}
