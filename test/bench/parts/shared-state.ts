/** What it adds to a request and to a token that several gateways share limits and slots on Redis: one with it beside one without, in the same round. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { hasRedis } from '../../kit/redis.ts'
import { freePort } from '../../kit/several-gateways/balancer.ts'
import { startProgram } from '../children.ts'
import { costOf } from '../cost.ts'
import type { Bound } from '../line-figures.ts'
import type { Generator, Rig, Stub } from '../rig.ts'
import { unhurried } from '../scale.ts'
import { spreadOf } from '../statistics.ts'
import type { Target, TargetMaker } from '../targets/target.ts'
import { aloneRow, type BenchPart, type Row } from './part.ts'
import { closedLoopClients, requestBodyBytes, settleMs, warmUpRequests } from './requests.ts'

export const sharedPart: BenchPart = {
  name: 'shared',
  words: 'what storage.redis adds to a request and to a token',
  run: sharedRows,
}

const slots = 256
const closedLoopRequests = 10_000
/** A call of Redis that is sent alone is another way through the code than one of several. */
const oneAtATimeWarmUpRequests = 3_000
const oneAtATimeRequests = 2_000
const pairs = 400
const streams = 16
/** In the short form as well: what a request costs more must not look like a cost of its tokens. */
const tokensOfStream = 500
const restForMs = 2_000
/** Of issue and design: what a request may be later, and what it may cost more. */
const addedMs: Bound = { goal: 0.3, must: 0.3 }
const addedUs: Bound = { goal: 60, must: 60 }
/** Nothing, and what a measurement is off by. */
const addedUsOfToken: Bound = { goal: 1, must: 1 }

/** In µs of processor time of the gateway. */
interface Costs {
  readonly request: number
  readonly loneRequest: number
  readonly token: number
  /** A second in which nobody asks. */
  readonly rest: number
}

interface Figures {
  readonly alone: Costs
  readonly shared: Costs
  readonly addedP50Ms: number
  readonly addedP99Ms: number
}

async function sharedRows(rig: Rig): Promise<readonly Row[]> {
  const maker = rig.maker('gateway')
  if (maker === null) return []
  if (!hasRedis) {
    rig.note('shared: redis-server is not installed; Debian has it under that name')
    return []
  }
  const found: Figures[] = []
  for (let round = 1; round <= rig.rounds; round++) {
    found.push(await figuresOf(rig, maker))
    rig.say(`shared, round ${round} of ${rig.rounds}`)
  }
  const row = (name: string, unit: string, of: (figures: Figures) => number, bound: Bound | null): Row =>
    aloneRow({ name, unit, figure: spreadOf(found.map(of)), bound })
  const added = (of: (costs: Costs) => number) => (figures: Figures) => of(figures.shared) - of(figures.alone)
  return [
    row('sharing adds to a whole answer, one at a time, p50', 'ms', ({ addedP50Ms }) => addedP50Ms, addedMs),
    row('the same, p99', 'ms', ({ addedP99Ms }) => addedP99Ms, null),
    row(
      `sharing adds to the CPU of a request, ${closedLoopClients} clients`,
      'µs',
      added(({ request }) => request),
      addedUs,
    ),
    row(
      'the same, one client',
      'µs',
      added(({ loneRequest }) => loneRequest),
      addedUs,
    ),
    row('CPU a request without it', 'µs', ({ alone }) => alone.request, null),
    row('the same, one client alone', 'µs', ({ alone }) => alone.loneRequest, null),
    row(
      'sharing adds to the CPU of a token',
      'µs',
      added(({ token }) => token),
      addedUsOfToken,
    ),
    row('CPU a token without it', 'µs', ({ alone }) => alone.token, null),
    row(
      'sharing adds to the CPU of a second at rest',
      'µs',
      added(({ rest }) => rest),
      null,
    ),
  ]
}

async function figuresOf(rig: Rig, maker: TargetMaker): Promise<Figures> {
  await using redis = await startRedis(rig)
  await using stub = await rig.stub()
  await using generator = await rig.generator()
  const wanted = { hostUrl: stub.url, slots, core: rig.cores.gateway }
  await using alone = await maker.start(wanted)
  await using shared = await maker.start({ ...wanted, config: { storage: { redis: { url: redis.url } } } })
  const inTurn = rig.random.next() < 0.5 ? [alone, shared] : [shared, alone]
  const costs = new Map<Target, Costs>()
  for (const target of inTurn) costs.set(target, await costsOf(rig, { target, stub, generator }))
  const order = { one: addressOf(alone), other: addressOf(shared), kind: 'request', tokens: 1 } as const
  await generator.pairs({ ...order, pairs: Math.ceil((pairs / 10) * rig.scale) })
  const { one, other } = await generator.pairs({ ...order, pairs: Math.ceil(pairs * rig.scale) })
  return {
    alone: costs.get(alone)!,
    shared: costs.get(shared)!,
    addedP50Ms: (other.p50 - one.p50) / 1e6,
    addedP99Ms: (other.p99 - one.p99) / 1e6,
  }
}

interface Subject {
  readonly target: Target
  readonly stub: Stub
  readonly generator: Generator
}

async function costsOf(rig: Rig, subject: Subject): Promise<Costs> {
  const { target, generator } = subject
  const answers = { ...addressOf(target), kind: 'request', tokens: 1, bodyBytes: requestBodyBytes } as const
  const restMs = settleMs * unhurried(rig.scale)
  const amount = (full: number) => Math.ceil(full * rig.scale)
  const each = async (order: Parameters<Generator['closedLoop']>[0], tokens: boolean): Promise<number> => {
    const { cpuUs, result } = await costOf(subject, () => generator.closedLoop(order), restMs)
    return (cpuUs ?? Number.NaN) / (tokens ? result.tokens : result.answers)
  }
  const warmUp = async (clients: number, requests: number): Promise<void> => {
    await generator.closedLoop({ ...answers, clients, requests: Math.ceil(requests * unhurried(rig.scale)) })
    await pause(restMs)
  }
  await warmUp(closedLoopClients, warmUpRequests)
  const request = await each({ ...answers, clients: closedLoopClients, requests: amount(closedLoopRequests) }, false)
  await warmUp(1, oneAtATimeWarmUpRequests)
  const loneRequest = await each({ ...answers, clients: 1, requests: amount(oneAtATimeRequests) }, false)
  const long = {
    ...answers,
    kind: 'stream',
    clients: streams,
    tokens: Math.ceil(tokensOfStream * unhurried(rig.scale)),
  } as const
  await generator.closedLoop({ ...long, requests: streams })
  const token = await each({ ...long, requests: streams * Math.ceil(4 * rig.scale) }, true)
  const tookMs = restForMs * unhurried(rig.scale)
  const { cpuUs } = await costOf(subject, () => pause(tookMs, { tookMs }))
  return { request, loneRequest, token, rest: ((cpuUs ?? Number.NaN) * 1_000) / tookMs }
}

function addressOf({ url, key, receipts }: Target) {
  return { url, key, receipts }
}

interface Redis extends AsyncDisposable {
  readonly url: string
}

/** Beside the load, so that what the gateway costs is the gateway's. */
async function startRedis({ cores }: Rig): Promise<Redis> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  const port = await freePort()
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const child = startProgram(cores.load, ['redis-server', ...own], { cwd: folder })
  await child.said(/Ready to accept connections/)
  return {
    url: `redis://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
