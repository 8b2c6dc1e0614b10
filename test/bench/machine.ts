/** The machine on which is measured: which cores belong to whom, and whether somebody else is at work on it. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

export interface MachineLoad {
  readonly cores: number
  /** Mean of runnable processes over the last minute. */
  readonly loadAverage: number
  /** Share of all cores that was at work during the look. */
  readonly busyShare: number
  /** Share that the machine below took away; null where the system does not tell. */
  readonly stolenShare: number | null
}

export interface Cores {
  /** As `taskset` wants it; null where a process cannot be held to a core. */
  readonly gateway: string | null
  readonly load: string | null
}

const loadAverageMaxPerCore = 0.5
const busyShareMax = 0.1
const stolenShareMax = 0.02

/** One sentence for each thing that would spoil the figures; none on a quiet machine. */
export function reasonsNotToMeasure(seen: MachineLoad): string[] {
  const { cores, loadAverage, busyShare, stolenShare } = seen
  const reasons: string[] = []
  if (loadAverage > loadAverageMaxPerCore * cores) {
    const most = (loadAverageMaxPerCore * cores).toFixed(1)
    reasons.push(`the load average of the last minute is ${loadAverage.toFixed(2)}, at most ${most} on ${cores} cores`)
  }
  if (busyShare > busyShareMax) {
    reasons.push(`other programs use ${percent(busyShare)} of the cores, at most ${percent(busyShareMax)}`)
  }
  if (stolenShare !== null && stolenShare > stolenShareMax) {
    reasons.push(`${percent(stolenShare)} of the time was taken by other machines, at most ${percent(stolenShareMax)}`)
  }
  return reasons
}

export async function lookAtMachine(lookMs = 2_000): Promise<MachineLoad> {
  const before = coreTimes()
  await pause(lookMs)
  const after = coreTimes()
  const all = Math.max(1, after.all - before.all)
  const stolenShare = before.stolen === null || after.stolen === null ? null : (after.stolen - before.stolen) / all
  return {
    cores: availableParallelism(),
    loadAverage: loadavg()[0] ?? 0,
    busyShare: 1 - (after.idle - before.idle) / all,
    stolenShare,
  }
}

/** The gateway has the last core for itself, all threads of it; who loads it has the others. */
export function coresOf(count: number, canPin = hasTaskset()): Cores {
  if (!canPin || count < 2) return { gateway: null, load: null }
  return { gateway: String(count - 1), load: count === 2 ? '0' : `0-${count - 2}` }
}

/** A command that runs on these cores alone. */
export function onCores(list: string | null, command: string, args: readonly string[]): [string, string[]] {
  return list === null ? [command, [...args]] : ['taskset', ['-c', list, command, ...args]]
}

/** A command that the system ends when the process that started it is gone, however that came; as it is where the system cannot. */
export function endingWithParent(
  command: string,
  args: readonly string[],
  signal = 'KILL',
  canTie = hasSetpriv(),
): [string, string[]] {
  return canTie ? ['setpriv', ['--pdeathsig', signal, command, ...args]] : [command, [...args]]
}

function hasTaskset(): boolean {
  return spawnSync('taskset', ['--version']).status === 0
}

let setprivIsThere: boolean | undefined

function hasSetpriv(): boolean {
  setprivIsThere ??= /--pdeathsig/.test(spawnSync('setpriv', ['--help'], { encoding: 'utf8' }).stdout ?? '')
  return setprivIsThere
}

interface CoreTimes {
  readonly all: number
  readonly idle: number
  readonly stolen: number | null
}

function coreTimes(): CoreTimes {
  if (process.platform === 'linux') return coreTimesIn(readFileSync('/proc/stat', 'utf8'))
  const times = cpus().map((core) => core.times)
  const idle = times.reduce((sum, time) => sum + time.idle, 0)
  const all = times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.idle + time.irq, 0)
  return { all, idle, stolen: null }
}

/** Of the first line of /proc/stat, in ticks: user nice system idle iowait irq softirq steal. */
export function coreTimesIn(stat: string): CoreTimes {
  const ticks = (/^cpu +(.+)$/m.exec(stat)?.[1] ?? '').split(' ').slice(0, 8).map(Number)
  const all = ticks.reduce((sum, tick) => sum + tick, 0)
  return { all, idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), stolen: ticks[7] ?? 0 }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
