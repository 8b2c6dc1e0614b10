/** Part 8: clients that do not read: what each of them takes of memory, whether its host is held back, and what others notice. */
import { setTimeout as pause } from 'node:timers/promises'
import type { LoopProbe } from '../loop-probe-reader.ts'
import { residentBytesOf } from '../process-cost.ts'
import type { Rig, Stub } from '../rig.ts'
import { inRounds, type Measured, rowOf } from '../rounds.ts'
import { fewRounds } from '../scale.ts'
import { Crowd } from './crowd.ts'
import type { BenchPart, Row } from './part.ts'

export const slowReaderPart: BenchPart = {
  name: 'slow-reader',
  words: 'memory of clients that do not read, hosts that are held back for them, and what other streams notice',
  run: slowReaderRows,
}

const slow = 16
const others = 4
/** 1.6 MB a second each, so that what the system keeps between two sockets is soon full. */
const mode = { everyMs: 10, eventBytes: 16_384 }
/** Until no more hosts come to be held back. */
const lookEveryMs = 500
const looksMax = 30
const windowMs = 3_000
const roundsMax = 1

interface Figures {
  readonly memoryMb: number | null
  /** Heap and buffers that live. */
  readonly liveMb: number | null
  /** Of the slow ones, how many the host sends nothing more to. */
  readonly heldShare: number
  readonly p99AloneMs: number
  readonly p99BesideMs: number
}

async function slowReaderRows(rig: Rig): Promise<readonly Row[]> {
  const rounds = await inRounds(
    rig,
    { part: 'slow-reader', wanted: { slots: 64 }, rounds: fewRounds(rig.rounds, roundsMax), probed: true },
    (measured) => figuresOf(rig, measured),
  )
  return [
    rowOf(rounds, { figure: 'memory of a client that does not read', unit: 'MB', of: ({ memoryMb }) => memoryMb }),
    rowOf(rounds, { figure: 'live memory of a client that does not read', unit: 'MB', of: ({ liveMb }) => liveMb }),
    rowOf(rounds, {
      figure: 'hosts held back, of those whose clients do not read',
      unit: '%',
      better: 'higher',
      of: ({ heldShare }) => heldShare * 100,
    }),
    rowOf(rounds, {
      figure: 'one-way delay of 16 kB events to others, p99, all clients read',
      unit: 'ms',
      of: ({ p99AloneMs }) => p99AloneMs,
    }),
    rowOf(rounds, {
      figure: `one-way delay of 16 kB events to others, p99, beside ${slow} that do not`,
      unit: 'ms',
      of: ({ p99BesideMs }) => p99BesideMs,
    }),
  ]
}

async function figuresOf(rig: Rig, { target, probe, stub, generator, to }: Measured): Promise<Figures> {
  await using crowd = new Crowd(rig.cores.load)
  const factor = Math.min(1, rig.scale)
  const tokens = 1_000_000
  await stub.mode(mode)
  await generator.openStreams({ ...to, streams: others, tokens, withinMs: mode.everyMs })
  const look = async () => (await generator.window(Math.ceil(windowMs * factor))).oneWay.p99 / 1e6
  await look()
  const p99AloneMs = await look()
  const before = residentMb(target.pid)
  const liveBefore = await living(probe)
  await crowd.open(to, slow, { stream: true, tokens, reads: false })
  await untilFull(stub, Math.max(1, Math.round(looksMax * Math.min(1, 2 * rig.scale))))
  const p99BesideMs = await look()
  const { held } = await stub.counts()
  const after = residentMb(target.pid)
  const liveAfter = await living(probe)
  await crowd.leave(slow)
  await generator.endStreams(others)
  const each = (one: number | null, other: number | null) =>
    one === null || other === null ? null : (other - one) / slow
  const memory = { memoryMb: each(before, after), liveMb: each(liveBefore, liveAfter) }
  return { ...memory, heldShare: Math.min(1, held / slow), p99AloneMs, p99BesideMs }
}

async function untilFull(stub: Stub, looks: number): Promise<void> {
  for (let look = 0; look < looks; look++) {
    await pause(lookEveryMs)
    if ((await stub.counts()).held >= slow) return
  }
}

async function living(probe: LoopProbe | null): Promise<number | null> {
  if (probe === null) return null
  const { heapUsed, external } = await probe.memory()
  return (heapUsed + external) / 1e6
}

function residentMb(pid: number | null): number | null {
  const bytes = pid === null ? null : residentBytesOf(pid)
  return bytes === null ? null : bytes / 1e6
}
