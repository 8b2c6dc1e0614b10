/**
 * What a token and a request cost the gateway, before and after: in each round both are started afresh, in random order,
 * since one process of the same code is dearer than the next, and since the machine is never the same for long.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { RunningProcess } from '../kit/child-process.ts'
import { SeededRandom } from '../soak/seeded-random.ts'
import type { BenchArguments } from './bench-arguments.ts'
import { answerOf, startHelper } from './children.ts'
import type { ArmName, ArmSetup, GatewayArm, RunningArm } from './gateway-arm.ts'
import type { LoadOrder, LoadResult } from './load-generator.ts'
import type { Cores } from './machine.ts'
import { cpuUsOf, residentBytesOf } from './process-cost.ts'
import { shuffled } from './statistics.ts'
import type { FromStub, ToStub } from './stub-host.ts'
import { frameEveryMs } from './traffic.ts'

/** Of one gateway in one round; null where the system does not tell, or the part was not asked for. */
export interface ArmRound {
  readonly cpuUsPerToken: number | null
  readonly cpuUsPerRequest: number | null
  readonly residentMiBIdle: number | null
  readonly residentMiBLoaded: number | null
  /** Counted by the clients while it was measured. */
  readonly tokens: number
  readonly requests: number
}

export type GatewayRound = Readonly<Record<ArmName, ArmRound>>

export interface GatewayRounds {
  readonly rounds: readonly GatewayRound[]
  /** Highest share of the time for which stub and generator together kept a core busy in a measurement. */
  readonly loadCoreShareMax: number | null
}

/** Work that is put off, such as the writing of the ledger, belongs to the traffic that made it. */
const settleMs = 250
/** Of the measured amount: compiled code, connections and caches are then as they stay. */
const warmUpShare = 0.4

export async function gatewayRounds(
  arms: readonly [GatewayArm, GatewayArm],
  { wanted, setup, cores, say }: { wanted: BenchArguments; setup: ArmSetup; cores: Cores; say: (line: string) => void },
): Promise<GatewayRounds> {
  await using stub = startHelper(cores.load, 'stub-host.ts')
  await using generator = startHelper(cores.load, 'load-generator.ts')
  const { url } = await answerOf<FromStub>(stub, { ask: 'address' } satisfies ToStub)
  const random = new SeededRandom(Date.now())
  const load = new Load(stub, generator)
  const rounds: GatewayRound[] = []
  for (let round = 1; round <= wanted.rounds; round++) {
    const measured = new Map<ArmName, ArmRound>()
    for (const arm of shuffled(arms, random)) {
      await using running = await arm.start(url, wanted.streams, setup, cores.gateway)
      measured.set(arm.name, await oneArm(running, load, wanted))
    }
    rounds.push({ before: measured.get('before')!, after: measured.get('after')! })
    say(`round ${round} of ${wanted.rounds}`)
  }
  return { rounds, loadCoreShareMax: load.coreShareMax }
}

async function oneArm({ pid, url, key, receipts }: RunningArm, load: Load, wanted: BenchArguments) {
  const residentMiBIdle = inMiB(residentBytesOf(pid))
  const { streams: slots, tokens, requests } = wanted
  const streams: LoadOrder = { url, key, receipts, kind: 'stream', tokens, requests: slots, clients: slots }
  // More clients than slots, so that requests pass through the line.
  const whole: LoadOrder = {
    url,
    key,
    receipts,
    kind: 'request',
    tokens: 1,
    requests,
    clients: slots + Math.ceil(slots / 4),
  }
  const streamed = wanted.parts.has('stream') ? await load.measure(pid, streams) : null
  const answered = wanted.parts.has('request') ? await load.measure(pid, whole) : null
  return {
    cpuUsPerToken: streamed && perUnit(streamed.cpuUs, streamed.result.tokens),
    cpuUsPerRequest: answered && perUnit(answered.cpuUs, answered.result.requests),
    residentMiBIdle,
    residentMiBLoaded: inMiB(residentBytesOf(pid)),
    tokens: streamed?.result.tokens ?? 0,
    requests: answered?.result.requests ?? 0,
  }
}

/** Loads a gateway and reads what that cost it. */
class Load {
  readonly #stub: RunningProcess
  readonly #generator: RunningProcess
  coreShareMax: number | null = null

  constructor(stub: RunningProcess, generator: RunningProcess) {
    this.#stub = stub
    this.#generator = generator
  }

  async measure(pid: number, order: LoadOrder): Promise<{ cpuUs: number | null; result: LoadResult }> {
    const warmUp = (amount: number) => Math.ceil(amount * warmUpShare)
    await this.#run(
      order.kind === 'stream'
        ? { ...order, tokens: warmUp(order.tokens) }
        : { ...order, requests: warmUp(order.requests) },
    )
    const before = cpuUsOf(pid)
    const loadBefore = this.#ownCpuUs()
    const result = await this.#run(order)
    const loadAfter = this.#ownCpuUs()
    await pause(settleMs)
    const after = cpuUsOf(pid)
    if (loadBefore !== null && loadAfter !== null) {
      const share = (loadAfter - loadBefore) / 1_000 / result.tookMs
      this.coreShareMax = Math.max(this.coreShareMax ?? 0, share)
    }
    return { cpuUs: before === null || after === null ? null : after - before, result }
  }

  /** A figure of requests that failed would be of something else. */
  async #run(order: LoadOrder): Promise<LoadResult> {
    const ownMs = order.tokens * frameEveryMs + order.requests * 10
    const result = await answerOf<LoadResult>(this.#generator, order, 30_000 + 5 * ownMs)
    const failures = Object.entries(result.failures).map(([words, count]) => `${count} × ${words}`)
    if (failures.length > 0) throw new Error(`requests failed, so nothing was measured: ${failures.join(', ')}`)
    await pause(settleMs)
    return result
  }

  #ownCpuUs(): number | null {
    const stub = cpuUsOf(this.#stub.pid)
    const generator = cpuUsOf(this.#generator.pid)
    return stub === null || generator === null ? null : stub + generator
  }
}

function perUnit(cpuUs: number | null, units: number): number | null {
  return cpuUs === null ? null : cpuUs / units
}

function inMiB(bytes: number | null): number | null {
  return bytes === null ? null : bytes / 1_048_576
}
