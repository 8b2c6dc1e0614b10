/** What one process of the gateway carries behind HAProxy, and what two do, each with a store of its own. */
import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import type { Arrivals } from '../load/load-order.ts'
import { cpuUsOf } from '../process-cost.ts'
import type { Rig } from '../rig.ts'
import { fewRounds, unhurried } from '../scale.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import type { Target, TargetMaker } from '../targets/target.ts'
import { aloneRow, type BenchPart, type Row } from './part.ts'

export const twoProcessesPart: BenchPart = {
  name: 'two-processes',
  words: 'whole answers a second through HAProxy and one gateway, and two of them with a store each',
  run: twoProcessesRows,
}

const slots = 256
const bodyBytes = 2_048
const clients = 64
const warmUpRequests = 1_000
const requests = 4_000
const settleMs = 250
const roundsMax = 2
/** A gateway each, and one for load and HAProxy. */
const coresWanted = 3

interface Figures {
  readonly perSecond: number
  /** Of the gateways alone, for each answer. */
  readonly cpuUs: number | null
}

async function twoProcessesRows(rig: Rig): Promise<readonly Row[]> {
  const [gateway, haproxy] = [rig.maker('gateway'), rig.maker('haproxy')]
  if (gateway === null || haproxy === null) {
    rig.note('two processes: without HAProxy nothing spreads requests over them')
    return []
  }
  const found = { one: [] as Figures[], two: [] as Figures[] }
  const rounds = fewRounds(rig.rounds, roundsMax)
  for (let round = 1; round <= rounds; round++) {
    found.one.push(await through(rig, { gateway, haproxy, processes: 1 }))
    found.two.push(await through(rig, { gateway, haproxy, processes: 2 }))
    rig.say(`two-processes, round ${round} of ${rounds}`)
  }
  if (cpus().length < coresWanted) {
    rig.note(
      `two processes: with ${cpus().length} cores the second one shares a core with the load, which tells what it costs and not what it carries`,
    )
  }
  const gain = spreadOf(found.two.map(({ perSecond }, at) => perSecond / found.one[at]!.perSecond))
  return [...rowsOf('one process', found.one), ...rowsOf('two processes', found.two), gainRow(gain)]
}

interface Arm {
  readonly gateway: TargetMaker
  readonly haproxy: TargetMaker
  readonly processes: number
}

async function through(rig: Rig, { gateway, haproxy, processes }: Arm): Promise<Figures> {
  await using stub = await rig.stub()
  await using generator = await rig.generator()
  await using started = new AsyncDisposableStack()
  const gateways: Target[] = []
  for (let at = 0; at < processes; at++) {
    gateways.push(started.use(await gateway.start({ hostUrl: stub.url, slots, core: coreOf(rig, at) })))
  }
  const [hostUrl, ...otherHostUrls] = gateways.map(({ url }) => url) as [string, ...string[]]
  await using proxy = await haproxy.start({ hostUrl, otherHostUrls, slots, core: rig.cores.load })
  const { key, receipts } = gateways[0]!
  const order = { url: proxy.url, key, receipts, kind: 'request', clients, tokens: 1, bodyBytes } as const
  const amount = (full: number) => Math.ceil(full * rig.scale)
  await generator.closedLoop({ ...order, requests: amount(warmUpRequests) })
  const restMs = settleMs * unhurried(rig.scale)
  await pause(restMs)
  const before = cpuOf(gateways)
  const { answers, tookMs }: Arrivals = await generator.closedLoop({ ...order, requests: amount(requests) })
  await pause(restMs)
  const after = cpuOf(gateways)
  const cpuUs = before === null || after === null ? null : (after - before) / answers
  return { perSecond: (answers * 1_000) / tookMs, cpuUs }
}

/** The first has the core of the gateway; the second one before it, which the load has as well where there are but two. */
function coreOf({ cores: { gateway } }: Rig, at: number): string | null {
  return gateway === null ? null : String(Number(gateway) - at)
}

function cpuOf(gateways: readonly Target[]): number | null {
  const each = gateways.map(({ pid }) => cpuUsOf(pid!))
  return each.includes(null) ? null : each.reduce<number>((sum, us) => sum + us!, 0)
}

function rowsOf(words: string, found: readonly Figures[]): readonly Row[] {
  const cpu = found.flatMap(({ cpuUs }) => (cpuUs === null ? [] : [cpuUs]))
  const row = (name: string, unit: string, figure: Spread) => aloneRow({ name, unit, figure, bound: null })
  return [
    {
      ...row(`whole answers through ${words}`, '1/s', spreadOf(found.map(({ perSecond }) => perSecond))),
      better: 'higher',
    },
    ...(cpu.length === 0 ? [] : [row(`CPU a request, ${words} behind HAProxy`, 'µs', spreadOf(cpu))]),
  ]
}

function gainRow(figure: Spread): Row {
  return { ...aloneRow({ name: 'two processes to one', unit: '×', figure, bound: null }), better: 'higher' }
}
