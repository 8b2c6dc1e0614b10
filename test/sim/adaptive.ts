/**
 * One host that is never without work: what each fixed number of slots makes of it, and what the gateway finds by itself.
 * Good is what was written by answers inside of the objective, counted from when the host was given them.
 */
import type { Ended } from './ended.ts'
import { quantile } from './figures.ts'
import { type HostProfile, macOfTheFlood } from './host-profile.ts'
import { medianOf } from './seeds.ts'
import { Simulation } from './simulation.ts'
import { table } from './table.ts'
import { endlessMs, hourMs, type Stream, type Workload } from './workload.ts'
import { type Asking, arrivalOf, randomOf } from './workloads/arrivals.ts'

const slowdowns = [0.05, 0.28, 0.58]
const slotsMax = 24
const slo = { timePerOutputTokenMsMax: 80, firstTokenMsMax: 5_000 }

/** Of each run the first third is not counted: by then the number of slots is found. */
const uncounted = 1 / 3
const adaptiveMs = 4 * hourMs
const fixedMs = hourMs

interface Measured {
  readonly slots: number
  readonly goodPerSecond: number
}

export interface SlotsCompared {
  readonly slowdown: number
  readonly fixed: readonly Measured[]
  readonly best: Measured
  /** The slots are the mean over the counted time. */
  readonly adaptive: readonly Measured[]
}

export interface CompareOptions {
  readonly slowdowns?: readonly number[]
  readonly fixed?: readonly number[]
  readonly adaptiveMs?: number
}

/** Fixed numbers by the median of the seeds. */
export function compareSlots(seeds: readonly number[], options: CompareOptions = {}): SlotsCompared[] {
  const numbers = options.fixed ?? Array.from({ length: slotsMax }, (_, at) => at + 1)
  return (options.slowdowns ?? slowdowns).map((slowdown) => {
    const host = { ...macOfTheFlood, slowdown }
    const fixed = numbers.map((slots): Measured => {
      const goods = seeds.map((seed) => measure({ ...host, slots }, seed, fixedMs).goodPerSecond)
      return { slots, goodPerSecond: medianOf(goods) }
    })
    const best = fixed.reduce((one, other) => (other.goodPerSecond > one.goodPerSecond ? other : one))
    const slotBounds = { min: 1, max: slotsMax }
    const adaptive = seeds.map((seed) => measure({ ...host, slotBounds }, seed, options.adaptiveMs ?? adaptiveMs))
    return { slowdown, fixed, best, adaptive }
  })
}

export function adaptiveTable(compared: readonly SlotsCompared[]): string {
  const rows = compared.map(({ slowdown, best, adaptive }) => {
    const slots = adaptive.map((one) => one.slots)
    const good = adaptive.map((one) => one.goodPerSecond)
    const share = (value: number) => `${((100 * value) / best.goodPerSecond).toFixed(0)} %`
    return [
      String(slowdown),
      `${best.slots} → ${best.goodPerSecond.toFixed(1)}`,
      medianOf(slots).toFixed(1),
      `${quantile(slots, 0).toFixed(1)} to ${quantile(slots, 1).toFixed(1)}`,
      medianOf(good).toFixed(1),
      `${share(medianOf(good))} (${share(quantile(good, 0))})`,
    ]
  })
  const numbers = compared[0]?.fixed.map(({ slots }) => String(slots)) ?? []
  const byNumber = compared.map(({ slowdown, fixed }) => [
    String(slowdown),
    ...fixed.map(({ goodPerSecond }) => goodPerSecond.toFixed(0)),
  ])
  const head = ['slowdown', 'best fixed → good tok/s', 'slots found', 'range', 'good tok/s', 'of the best (worst)']
  return [
    `Slots: time per token at most ${slo.timePerOutputTokenMsMax} ms, first token ${slo.firstTokenMsMax} ms after the grant`,
    table(head, rows),
    'Good tokens per second by fixed number of slots:',
    table(['slowdown', ...numbers], byNumber),
  ].join('\n\n')
}

function measure(host: HostProfile, seed: number, durationMs: number): Measured {
  const fromMs = durationMs * uncounted
  const simulation = new Simulation(saturated(host, durationMs)(seed), { order: 'first-come' }, seed)
  const [only] = simulation.hosts
  const seen: number[] = []
  const look = () => {
    seen.push(only?.slots ?? 0)
    simulation.clock.after(everyMs, look)
  }
  simulation.clock.after(fromMs, look)
  const { ended } = simulation.run()
  const good = ended.filter((one) => one.atMs >= fromMs && isGoodOfHost(one))
  const tokens = good.reduce((sum, { written }) => sum + written, 0)
  return {
    slots: seen.reduce((sum, slots) => sum + slots, 0) / seen.length,
    goodPerSecond: tokens / ((durationMs - fromMs) / 1000),
  }
}

const everyMs = 5_000

/** Twice as many clients as there can be slots, each of which asks again at once. */
function saturated(host: HostProfile, durationMs: number): (seed: number) => Workload {
  return (seed) => {
    const random = randomOf(seed, 0)
    const objective = { firstTokenMs: slo.firstTokenMsMax, timePerOutputTokenMs: slo.timePerOutputTokenMsMax }
    const stream: Stream = { name: 'clients', key: 'clients', class: 'default', objective, patienceMs: endlessMs }
    const asking: Asking = { stream, input: { p50: 800, p95: 2_400 }, output: { p50: 200, p95: 600 } }
    const arrivals = Array.from({ length: 2 * slotsMax }, () => arrivalOf(random, 0, asking))
    return {
      hosts: [host],
      streams: [stream],
      durationMs,
      slo,
      arrivals,
      next: (_ended, nowMs) => arrivalOf(random, nowMs, asking),
    }
  }
}

function isGoodOfHost({ ending, grantedAtMs, firstTokenAtMs, atMs, arrival }: Ended): boolean {
  if (ending !== 'done' || grantedAtMs === null || firstTokenAtMs === null) return false
  const perTokenMs = (atMs - firstTokenAtMs) / Math.max(1, arrival.output - 1)
  return firstTokenAtMs - grantedAtMs <= slo.firstTokenMsMax && perTokenMs <= slo.timePerOutputTokenMsMax
}
