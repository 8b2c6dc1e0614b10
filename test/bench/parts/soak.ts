/** Part 10: minutes of mixed load: whether memory grows, whether connections are left over, and the longest turn of the event loop. */
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { LoopProbe } from '../loop-probe-reader.ts'
import type { ToldByProbe } from '../loop-probe-turns.ts'
import { residentBytesOf } from '../process-cost.ts'
import type { Generator, Rig } from '../rig.ts'
import { spreadOf } from '../statistics.ts'
import type { Target } from '../targets/target.ts'
import { Crowd } from './crowd.ts'
import { heldRows } from './loop-rows.ts'
import { aloneRow, type BenchPart, type Row } from './part.ts'
import { growthPerMinute, type Sample } from './soak-growth.ts'
import { metricsOf } from './thousands.ts'

export const soakPart: BenchPart = {
  name: 'soak',
  words: 'minutes of streams, whole answers and clients that leave, with scrapes: what grows, and what is left over',
  run: soakRows,
}

const slots = 256
const everyMs = 20
/** Of each slice: so long streams, then as long whole answers. */
const halfSliceMs = 4_000
const streamsPerSecond = 8
const requestsPerSecond = 60
const tokens = 50
const leavers = 20
const bodyBytes = 2_048
/** Of all samples, the first, in which caches fill and code is compiled. */
const warmUpShare = 0.25
/** In which idle connections to the host are given up; probes open one from time to time. */
const quietMs = 12_000
const lookEveryMs = 500

interface Soak {
  readonly samples: readonly Sample[]
  readonly turns: readonly ToldByProbe[]
  readonly socketsBefore: number | null
  readonly socketsAfter: number | null
}

async function soakRows(rig: Rig): Promise<readonly Row[]> {
  const { samples, turns, socketsBefore, socketsAfter } = await soak(rig)
  const counted = samples.slice(Math.floor(samples.length * warmUpShare))
  const row = (name: string, unit: string, value: number) =>
    aloneRow({ name, unit, figure: spreadOf([value]), bound: null })
  const words = `${rig.soakMinutes} minutes`
  return [
    row(
      `live memory that ${words} add each minute`,
      'kB',
      growthPerMinute(counted, ({ liveBytes }) => liveBytes) / 1_000,
    ),
    row(
      `memory that ${words} add each minute`,
      'kB',
      growthPerMinute(counted, ({ residentBytes }) => residentBytes) / 1_000,
    ),
    row(`memory after ${words}`, 'MB', (samples.at(-1)?.residentBytes ?? Number.NaN) / 1e6),
    ...(socketsBefore === null || socketsAfter === null
      ? []
      : [row(`connections left over after ${words}`, '', socketsAfter - socketsBefore)]),
    ...heldRows(words, turns),
  ]
}

async function soak(rig: Rig): Promise<Soak> {
  await using stub = await rig.stub()
  await using generator = await rig.generator()
  await using crowd = new Crowd(rig.cores.load)
  await using probe = await LoopProbe.make()
  const { nodeArgs } = probe
  const core = rig.cores.gateway
  await using target = await rig.maker('gateway')!.start({ hostUrl: stub.url, slots, core, nodeArgs })
  await stub.mode({ everyMs })
  const samples: Sample[] = []
  const turns: ToldByProbe[] = []
  await probe.memory()
  const socketsBefore = await socketsAtRest(target.pid!)
  await probe.turns()
  const beganMs = performance.now()
  while (performance.now() - beganMs < rig.soakMinutes * 60_000) {
    await slice(target, generator, crowd)
    turns.push(await probe.turns())
    const { heapUsed, external } = await probe.memory()
    const residentBytes = residentBytesOf(target.pid!) ?? Number.NaN
    samples.push({ atMs: performance.now() - beganMs, liveBytes: heapUsed + external, residentBytes })
    // What was just collected for this sample is no turn of the load.
    await probe.turns()
    rig.say(`soak, ${((performance.now() - beganMs) / 60_000).toFixed(1)} of ${rig.soakMinutes} minutes`)
  }
  await generator[Symbol.asyncDispose]()
  return { samples, turns, socketsBefore, socketsAfter: await socketsAtRest(target.pid!) }
}

async function slice(target: Target, generator: Generator, crowd: Crowd): Promise<void> {
  const { url, key, receipts } = target
  const load = { url, key, receipts, schedule: 'poisson', seed: 1, bodyBytes, forMs: halfSliceMs } as const
  const left = crowd.open(target, leavers, { stream: true, tokens: 1_000 }).then(() => crowd.leave(leavers))
  await generator.openLoop({ ...load, kind: 'stream', perSecond: streamsPerSecond, tokens })
  await left
  await metricsOf(target.adminUrl)
  await generator.openLoop({ ...load, kind: 'request', perSecond: requestsPerSecond, tokens: 1 })
}

/** The fewest that were seen; null where this system does not tell. */
async function socketsAtRest(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null
  let fewest = Number.POSITIVE_INFINITY
  for (let waitedMs = 0; waitedMs < quietMs; waitedMs += lookEveryMs) {
    await pause(lookEveryMs)
    fewest = Math.min(fewest, socketsOf(pid))
  }
  return fewest
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((fd) => linkOf(`${folder}/${fd}`).startsWith('socket:')).length
}

/** It may have been closed since it was listed. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
