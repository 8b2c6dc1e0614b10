/** What some work costs each of the processes that take part in it, by the operating system. */
import { setTimeout as pause } from 'node:timers/promises'
import { cpuUsOf } from './process-cost.ts'
import type { Generator, Rig, Stub } from './rig.ts'
import type { Target } from './targets/target.ts'

export interface Cost<Result> {
  readonly result: Result
  /** Of the target; null for the host itself, or where the system does not tell. */
  readonly cpuUs: number | null
  /** Of stub and generator together. */
  readonly loadCpuUs: number | null
  /** Share of a core, of the time that the work took. */
  readonly share: number | null
  readonly loadShare: number | null
}

export interface Parties {
  readonly target: Target
  readonly stub: Stub
  readonly generator: Generator
}

/** `settleMs`: work that is put off, such as the writing of the ledger, belongs to what made it. */
export async function costOf<Result extends { readonly tookMs: number }>(
  { target, stub, generator }: Parties,
  work: () => Promise<Result>,
  settleMs = 0,
): Promise<Cost<Result>> {
  const load = () => sum(cpuUsOf(stub.pid), cpuUsOf(generator.pid))
  const own = () => (target.pid === null ? null : cpuUsOf(target.pid))
  const before = own()
  const loadBefore = load()
  const result = await work()
  const loadCpuUs = difference(load(), loadBefore)
  if (settleMs > 0) await pause(settleMs)
  const cpuUs = difference(own(), before)
  const shareOf = (us: number | null) => (us === null ? null : us / 1_000 / result.tookMs)
  return { result, cpuUs, loadCpuUs, share: shareOf(cpuUs), loadShare: shareOf(loadCpuUs) }
}

/** Above it, stub and generator could not keep up, and what was measured waited for them. */
const loadShareEnough = 0.9

/** Notes it where the load, and not the target, set the pace. */
export function noteLoadShare(rig: Rig, what: string, { loadShare }: Cost<unknown>): void {
  if (loadShare === null || loadShare <= loadShareEnough) return
  rig.note(`${what}: stub and clients needed ${(loadShare * 100).toFixed(0)} % of their core, and set the pace`)
}

function sum(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other
}

function difference(after: number | null, before: number | null): number | null {
  return after === null || before === null ? null : after - before
}
