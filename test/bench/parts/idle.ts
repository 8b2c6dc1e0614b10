/** Part 4: memory of a target at rest, of each stream that is open and silent, of each request that waits for a slot. */
import { setTimeout as pause } from 'node:timers/promises'
import { LoopProbe } from '../loop-probe-reader.ts'
import { residentBytesOf } from '../process-cost.ts'
import type { Rig } from '../rig.ts'
import { type Round, rowOf } from '../rounds.ts'
import { fewRounds, unhurried } from '../scale.ts'
import { shuffled, spreadOf } from '../statistics.ts'
import type { Target, TargetMaker, TargetName } from '../targets/target.ts'
import { Crowd } from './crowd.ts'
import { aloneRow, type BenchPart, type Row } from './part.ts'
import { amountOf, clientsMax, openToThousands, stubsOf, waitsFor } from './thousands.ts'

export const idlePart: BenchPart = {
  name: 'idle',
  words: 'memory at rest, with 1,000 and 4,000 silent streams and after them; of each of 8,000 requests that wait',
  run: idleRows,
}

const fewStreams = 1_000
const moreStreams = 3_000
/** Come and go before anything is counted: what the first ones of a kind take is not theirs. */
const streamsBefore = 200
const waiting = 8_000
const waitingBefore = 500
const bodyBytes = 2_048
/** Until a process that has just started is at rest. */
const restMs = 3_000
/** Until it has put away what it needed to get there: V8 gives memory back once little was allocated for some 20 s. */
const quietMs = 30_000
/** Memory is much the same each time. */
const roundsMax = 1
const megabyte = 1e6

interface IdleFigures {
  readonly restMb: number
  readonly firstThousandMb: number
  readonly nextThousandMb: number
  readonly afterMb: number
}

type Three = [number, number, number]

interface WaitingFigures {
  /** Heap and buffers that live, for each who waits. */
  readonly liveBytes: number
  readonly residentBytes: number
}

async function idleRows(rig: Rig): Promise<readonly Row[]> {
  const rounds: Round<IdleFigures>[] = []
  const lines: WaitingFigures[] = []
  for (let round = 1; round <= fewRounds(rig.rounds, roundsMax); round++) {
    const figures = new Map<TargetName, IdleFigures>()
    for (const maker of shuffled(rig.makers, rig.random)) {
      if (maker.name !== 'direct') figures.set(maker.name, await idleFigures(rig, maker))
    }
    rounds.push(figures)
    lines.push(await waitingFigures(rig))
    rig.say(`idle, round ${round} of ${fewRounds(rig.rounds, roundsMax)}`)
  }
  return [...streamRows(rounds), ...waitingRows(lines)]
}

async function idleFigures(rig: Rig, maker: TargetMaker): Promise<IdleFigures> {
  const [before, few, more] = [streamsBefore, fewStreams, moreStreams].map((count) => amountOf(rig, count)) as Three
  const many = few + more
  await using stubs = await stubsOf(rig, many)
  for (const stub of stubs.all) await stub.mode({ everyMs: 0 })
  const hostUrl = stubs.all[0]!.url
  const config = { ...openToThousands, hosts: stubs.hosts }
  await using target = await maker.start({ hostUrl, slots: many, core: rig.cores.gateway, config })
  const restMb = await residentMb(target, restMs * unhurried(rig.scale))
  await using crowd = new Crowd(rig.cores.load)
  const streams = { stream: true, tokens: 1_000 }
  await crowd.open(target, before, streams)
  await crowd.leave(before)
  await crowd.open(target, few, streams)
  const fewMb = await residentMb(target, quietMs * unhurried(rig.scale))
  await crowd.open(target, more, streams)
  const manyMb = await residentMb(target, quietMs * unhurried(rig.scale))
  const { open } = await crowd.state()
  if (open !== many) throw new Error(`${maker.name} kept ${open} of ${many} streams`)
  await crowd.leave(many)
  const afterMb = await residentMb(target, quietMs * unhurried(rig.scale))
  return {
    restMb,
    firstThousandMb: ((fewMb - restMb) * 1_000) / few,
    nextThousandMb: ((manyMb - fewMb) * 1_000) / more,
    afterMb,
  }
}

function streamRows(rounds: readonly Round<IdleFigures>[]): readonly Row[] {
  const unit = 'MB'
  return [
    rowOf(rounds, { figure: 'memory at rest', unit, of: ({ restMb }) => restMb, must: 100, goal: 80, compared: true }),
    rowOf(rounds, {
      figure: 'memory of the first 1,000 silent streams',
      unit,
      of: ({ firstThousandMb }) => firstThousandMb,
      must: 60,
      goal: 45,
      compared: true,
    }),
    rowOf(rounds, {
      figure: 'memory of each 1,000 silent streams more',
      unit,
      of: ({ nextThousandMb }) => nextThousandMb,
      must: 60,
      goal: 45,
      compared: true,
    }),
    rowOf(rounds, {
      figure: 'memory kept once 4,000 streams have left',
      unit,
      of: ({ restMb, afterMb }) => afterMb - restMb,
    }),
  ]
}

/** Of a gateway, whose one slot is taken for as long as this lasts. */
async function waitingFigures(rig: Rig): Promise<WaitingFigures> {
  const first = amountOf(rig, waitingBefore)
  const count = Math.max(2 * first, Math.min(amountOf(rig, waiting), clientsMax() - 1))
  await using stubs = await stubsOf(rig, 1)
  await stubs.all[0]!.mode({ firstMs: 3_600_000 })
  await using probe = await LoopProbe.make()
  await using target = await rig.maker('gateway')!.start({
    hostUrl: stubs.all[0]!.url,
    slots: 1,
    core: rig.cores.gateway,
    nodeArgs: probe.nodeArgs,
    config: openToThousands,
  })
  await using crowd = new Crowd(rig.cores.load)
  const living = async () => {
    const { heapUsed, external } = await probe.memory()
    return { live: heapUsed + external, resident: residentBytesOf(target.pid!) ?? Number.NaN }
  }
  await crowd.open(target, 1 + first, { bodyBytes })
  await waitsFor(target, 'queue_depth', first)
  const before = await living()
  await crowd.open(target, count - first, { bodyBytes })
  await waitsFor(target, 'queue_depth', count)
  const after = await living()
  await crowd.state()
  const each = (bytes: number) => bytes / (count - first)
  return { liveBytes: each(after.live - before.live), residentBytes: each(after.resident - before.resident) }
}

function waitingRows(lines: readonly WaitingFigures[]): readonly Row[] {
  const row = (name: string, of: (line: WaitingFigures) => number) =>
    aloneRow({ name, unit: 'kB', figure: spreadOf(lines.map((line) => of(line) / 1_000)), bound: null })
  return [
    row('live memory of each that waits, with 2 kB of body', ({ liveBytes }) => liveBytes),
    row('memory of each that waits, with what is yet to be collected', ({ residentBytes }) => residentBytes),
  ]
}

async function residentMb({ pid }: Target, afterMs: number): Promise<number> {
  await pause(afterMs)
  const bytes = pid === null ? null : residentBytesOf(pid)
  return bytes === null ? Number.NaN : bytes / megabyte
}
