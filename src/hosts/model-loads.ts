/** Loads and unloads models by the admin APIs of hosts, where the gateway may: what the planner orders, one at a time for each host. */
import PQueue from 'p-queue'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { adminCall } from './admin-call.ts'
import type { Host } from './host.ts'
import type { AdminCall, HostModel, ModelAdmin } from './kinds/host-kind.ts'
import { isUsed } from './model-places.ts'
import type { LoadOrder } from './residency.ts'

/** Where several gateways stand before the same hosts. */
export interface LoadLeases {
  /** False where another gateway has a model loaded there, or uses one of those that it puts out. */
  beginLoad(host: string, model: string, evicts: readonly string[]): Promise<boolean>
  endLoad(host: string): void
}

export interface ModelLoadsParts {
  readonly clock: Clock
  readonly log: Log
  readonly userAgent: string
  /** How long a load may take. */
  readonly loadMsMax: (host: Host, model: string) => number
  /** Asks the host anew what it has. */
  readonly probe: (host: Host) => void
  /** Absent where it stands alone. */
  readonly leases?: LoadLeases | undefined
}

/** One host has one; more hosts than these wait for each other. */
const loadsAtOnceMax = 16
const looksAtOnceMax = 4
/** What is on a disk changes when somebody downloads. */
const lookEveryMs = 60_000
const callMsMax = 10_000
const bytesMax = 4_194_304
const othersToldMs = 400
const probedMs = 100

export class ModelLoads {
  readonly #parts: ModelLoadsParts
  readonly #loads = new PQueue({ concurrency: loadsAtOnceMax })
  readonly #looks = new PQueue({ concurrency: looksAtOnceMax })
  readonly #lookedAtMs = new WeakMap<Host, number>()
  readonly #lookProblems = new WeakMap<Host, string | null>()
  readonly #stopped = new AbortController()

  constructor(parts: ModelLoadsParts) {
    this.#parts = parts
  }

  /** To be called when a host was probed: it is asked now and then what it could load. */
  probed(host: Host): void {
    const now = this.#parts.clock.now()
    const looked = this.#lookedAtMs.get(host)
    if (host.memory.loadsBy !== 'admin') {
      if (looked !== undefined && this.#lookedAtMs.delete(host)) host.toldLoadable([])
      return
    }
    if (!host.up || this.#stopped.signal.aborted || (looked !== undefined && now - looked < lookEveryMs)) return
    this.#lookedAtMs.set(host, now)
    void this.#looks.add(() => this.#look(host)).catch(() => {})
  }

  readonly order = (order: LoadOrder): void => {
    void this.#loads.add(() => this.#load(order)).catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#loads.clear()
    this.#looks.clear()
    await Promise.all([this.#loads.onIdle(), this.#looks.onIdle()])
  }

  async #look(host: Host): Promise<void> {
    const admin = host.kind?.modelAdmin
    if (admin === undefined) return
    const call = this.#callsTo(host, callMsMax)
    try {
      const onDisk = await admin.onDisk(call)
      host.memory.room.told(onDisk, await admin.headroom(call))
      host.toldLoadable(onDisk.map(({ id }) => loadable(id)))
      this.#tellProblem(host, null)
    } catch (error) {
      this.#tellProblem(host, messageOf(error))
    }
  }

  /** Once per change, since it is asked again and again. */
  #tellProblem(host: Host, problem: string | null): void {
    if (problem === (this.#lookProblems.get(host) ?? null)) return
    this.#lookProblems.set(host, problem)
    if (problem === null || this.#stopped.signal.aborted) return
    const message = 'the models that a host could load cannot be listed'
    this.#parts.log('warn', message, { host: host.name, problem })
  }

  async #load(order: LoadOrder): Promise<void> {
    const { host, model, evicts, by } = order
    const { clock, leases, probe } = this.#parts
    if (leases === undefined) return this.#loadAlone(order)
    if (await leases.beginLoad(host.name, model, evicts)) {
      await this.#loadAlone(order).finally(() => leases.endLoad(host.name))
      return
    }
    // What another one does there is known with its next beats, and what came of it to the host.
    const passes = (ms: number) =>
      new Promise<void>((resolve) => {
        clock.after(ms, resolve)
      })
    await passes(othersToldMs)
    probe(host)
    await passes(probedMs)
    host.memory.postponed(by)
  }

  async #loadAlone(order: LoadOrder): Promise<void> {
    const { host, model, by, charge } = order
    const { clock, probe, loadMsMax } = this.#parts
    const beganMs = clock.now()
    const admin = host.kind?.modelAdmin
    if (admin === undefined) return
    let isAsked = false
    try {
      const obstacle = await this.#unload(admin, order)
      if (obstacle === 'in_use') {
        host.memory.postponed(by)
        return
      }
      if (obstacle !== null) host.memory.failed(by, 'failed', obstacle.problem)
      else {
        isAsked = true
        const answer = await admin.load(this.#callsTo(host, loadMsMax(host, model)), model)
        if (answer.kind === 'ok') host.memory.loaded(by)
        else if (answer.kind === 'no_room') host.memory.noRoom(by, answer.problem)
        else host.memory.failed(by, answer.kind, answer.problem)
      }
    } catch (error) {
      host.memory.failed(by, isAsked ? 'lost' : 'failed', messageOf(error))
    }
    charge(clock.now() - beganMs)
    this.#lookedAtMs.delete(host)
    if (!this.#stopped.signal.aborted) probe(host)
  }

  /** Null when they are out, else why not. */
  async #unload(
    admin: ModelAdmin,
    { host, evicts }: LoadOrder,
  ): Promise<'in_use' | { readonly problem: string } | null> {
    for (const model of evicts) {
      if (await this.#isInUse(admin, host, model)) return 'in_use'
      const problem = await admin.unload(this.#callsTo(host, callMsMax), model)
      if (problem !== null) return { problem }
      host.memory.unloaded(model)
    }
    return null
  }

  /** The host cuts what runs with a model that it unloads: it is asked once more whether others came to it since its last probe. */
  async #isInUse(admin: ModelAdmin, host: Host, model: string): Promise<boolean> {
    const { clock } = this.#parts
    const [askedAtMs, before, elsewhere] = [clock.now(), host.leases.size, host.elsewhere.held]
    const running = await admin.running(this.#callsTo(host, callMsMax))
    const own = Math.max(before, host.leases.size)
    if (running !== null) host.signals.toldRunning(running, { own, elsewhere, askedAtMs })
    return isUsed(host.memory, model) || host.signals.strangersRunning > 0
  }

  #callsTo(host: Host, msMax: number): AdminCall {
    const { clock, userAgent } = this.#parts
    const { signal } = this.#stopped
    return (call) =>
      adminCall(host, call, { clock, userAgent, bytesMax, msMax: call.mayLoad === true ? msMax : callMsMax, signal })
  }
}

function loadable(id: string): HostModel {
  return { id, created: null, ownedBy: null, resident: false }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
