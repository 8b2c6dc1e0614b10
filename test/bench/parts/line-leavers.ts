/** Part 5: thousands who wait or are being served leave at the same moment: how long the gateway holds its event loop over it. */
import { setTimeout as pause } from 'node:timers/promises'
import { LoopProbe } from '../loop-probe-reader.ts'
import type { ToldByProbe } from '../loop-probe-turns.ts'
import type { Rig } from '../rig.ts'
import { fewRounds } from '../scale.ts'
import { Crowd } from './crowd.ts'
import { heldRows } from './loop-rows.ts'
import type { BenchPart, Row } from './part.ts'
import { amountOf, clientsMax, openToThousands, stubsOf, waitsFor } from './thousands.ts'

export const lineLeaversPart: BenchPart = {
  name: 'line-leavers',
  words: 'half of 10,000 who wait, and half of 4,000 who are served, leave at the same moment, and then the rest',
  run: lineLeaversRows,
}

const waiting = 10_000
const served = 4_000
const roundsMax = 2
/** In which thousands come and go, on any machine. */
const restMs = 3_000

async function lineLeaversRows(rig: Rig): Promise<readonly Row[]> {
  const line = { slots: 1, count: Math.min(clientsMax(), amountOf(rig, waiting)), stream: false }
  const streams = { slots: amountOf(rig, served), count: amountOf(rig, served), stream: true }
  if (line.count < amountOf(rig, waiting)) rig.note(`open files allow a line of ${line.count}, and not of ${waiting}`)
  const fromLine: ToldByProbe[] = []
  const fromStreams: ToldByProbe[] = []
  const rounds = fewRounds(rig.rounds, roundsMax)
  for (let round = 1; round <= rounds; round++) {
    fromLine.push(...(await leaving(rig, line)))
    fromStreams.push(...(await leaving(rig, streams)))
    rig.say(`line-leavers, round ${round} of ${rounds}`)
  }
  return [
    ...heldRows(`half of ${line.count} in line leave at once`, fromLine),
    ...heldRows(`half of ${streams.count} streams leave at once`, fromStreams),
  ]
}

interface Leaving {
  readonly slots: number
  readonly count: number
  readonly stream: boolean
}

async function leaving(rig: Rig, { slots, count, stream }: Leaving): Promise<ToldByProbe[]> {
  await using stubs = await stubsOf(rig, slots)
  for (const stub of stubs.all) await stub.mode(stream ? { everyMs: 0 } : { firstMs: 3_600_000 })
  await using probe = await LoopProbe.make()
  const config = { ...openToThousands, hosts: stubs.hosts }
  const wanted = { hostUrl: stubs.all[0]!.url, slots, core: rig.cores.gateway, nodeArgs: probe.nodeArgs, config }
  await using target = await rig.maker('gateway')!.start(wanted)
  await using crowd = new Crowd(rig.cores.load)
  await crowd.open(target, count, { stream, tokens: 1_000 })
  const gauge = stream ? 'open_streams' : 'queue_depth'
  // Who is served leaves with the first half, and the next one takes the place.
  const taken = stream ? 0 : slots
  await crowd.state()
  await waitsFor(target, gauge, count - taken)
  const turns: ToldByProbe[] = []
  let stay = count
  for (const left of [Math.floor(count / 2), count]) {
    await pause(restMs * rig.scale)
    await probe.turns()
    await crowd.leave(left)
    stay = Math.max(0, stay - left)
    // Nothing else is asked of the gateway meanwhile.
    await pause(restMs * rig.scale)
    turns.push(await probe.turns())
    await waitsFor(target, gauge, Math.max(0, stay - taken))
  }
  return turns
}
