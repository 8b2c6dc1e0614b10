/**
 * Fairness between gateways: with each beat a gateway tells the others what it served of each key at each host, and adds what they
 * served to its own counters. So each orders its line nearly as one line of all would be ordered; how nearly is in README.
 */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { Flow, FlowAccount, Flows, FlowsElsewhere } from './flow.ts'
import { type CountersMessage, type CountersOfHost, readCounters } from './served-message.ts'
import type { Waiter } from './waiter.ts'

export interface ServedElsewhereParts {
  readonly clock: Clock
  readonly flows: Flows
  readonly hosts: () => readonly Host[]
  readonly waiting: () => Iterable<Pick<Waiter, 'flow' | 'lane'>>
}

/** What is older says nothing any more of who waits: some beats. */
const freshMsMax = 1_000
/** Whoever was not heard for longer decided alone meanwhile: what it served then is not made up for. */
const silentMsMax = 3_000
/** What changes no more is told again after 1, 2, 4, 8 and 16 beats, so that it is known in time whichever were lost. */
const looksMax = 16
/** Rows of one beat, 25 kB: of more flows that were served since the last one each has its turn. */
const rowsPerBeatMax = 500
/** Of each other gateway, in all: as many as there are flows that rest. */
const rowsKeptMax = 10_000
/** Flows that are yet to be told: more than others would keep of them. */
const changingMax = 2 * rowsKeptMax

/** What was told of a flow at a host last. */
interface Told extends FlowAccount {
  /** Looks since it changed. */
  readonly looks: number
}

interface Heard {
  readonly flow: Flow
  readonly host: Host
  readonly since: number
  readonly served: number
  readonly expected: number
}

interface Other {
  /** Of what it told up to that beat only what is in the rows is known. */
  since: number
  /** The one that was heard last. */
  beat: number
  heardAtMs: number
  /** Who waits there. */
  levels: ReadonlyMap<Host, Pick<CountersOfHost, 'least' | 'last'>>
  /** By host and flow, the longest unheard first. */
  readonly rows: Map<string, Heard>
}

export class ServedElsewhere implements FlowsElsewhere {
  readonly #parts: ServedElsewhereParts
  readonly #others = new Map<string, Other>()
  /** Those that run, or did when they were told last; whoever was told longest ago first. */
  readonly #changing = new Map<Flow, Map<Host, Told | null>>()
  readonly #since = new WeakMap<Flow, Map<Host, number>>()
  #beat = 0

  constructor(parts: ServedElsewhereParts) {
    this.#parts = parts
    parts.flows.shareWith(this)
  }

  granted(flow: Flow, host: Host): void {
    const at = this.#changing.get(flow)
    if (at !== undefined) {
      if (!at.has(host)) at.set(host, null)
      return
    }
    this.#changing.set(flow, new Map([[host, null]]))
    if (this.#changing.size > changingMax) this.#forgetOldest()
  }

  forget(host: Host): void {
    for (const [flow, at] of this.#changing) {
      at.delete(host)
      this.#since.get(flow)?.delete(host)
    }
    for (const { rows } of this.#others.values()) {
      for (const [id, heard] of rows) if (heard.host === host) rows.delete(id)
    }
  }

  leastWaiting(host: Host): number | null {
    let least: number | null = null
    for (const { least: known } of this.#levelsOf(host)) {
      if (known !== null && (least === null || known < least)) least = known
    }
    return least
  }

  lastGranted(host: Host): number {
    let most = 0
    for (const { last } of this.#levelsOf(host)) most = Math.max(most, last)
    return most
  }

  /** Of this gateway, for the others. */
  tell(): CountersMessage {
    this.#beat++
    const least = this.#leastHere()
    const hosts: Record<string, CountersOfHost> = {}
    for (const host of this.#parts.hosts()) {
      const last = Math.round(this.#parts.flows.lastGranted(host))
      hosts[host.name] = { least: least.has(host) ? Math.round(least.get(host) ?? 0) : null, last, served: [] }
    }
    let rows = 0
    let left = this.#changing.size
    // Whoever is told goes behind all others: no more are looked at than there were.
    for (const [flow, at] of this.#changing) {
      if (left-- === 0 || rows >= rowsPerBeatMax) break
      rows += this.#tellOf(flow, at, hosts)
    }
    return { beat: this.#beat, hosts }
  }

  /** `told` is what another gateway said, of whatever version it is. */
  hear(from: string, told: unknown): void {
    const message = readCounters(told)
    if (message === null) return
    const now = this.#parts.clock.now()
    const known = this.#others.get(from)
    const isKnown = known !== undefined && now - known.heardAtMs <= silentMsMax
    if (known !== undefined && !isKnown) this.gone(from)
    const other: Other = isKnown
      ? known
      : { since: message.beat, beat: 0, heardAtMs: now, levels: new Map(), rows: new Map() }
    this.#others.set(from, other)
    other.heardAtMs = now
    other.beat = message.beat
    const byName = new Map(this.#parts.hosts().map((host) => [host.name, host]))
    const levels = new Map<Host, CountersOfHost>()
    const least = isKnown ? null : this.#leastHere()
    for (const [name, counters] of message.hosts) {
      const host = byName.get(name)
      if (host === undefined) continue
      levels.set(host, counters)
      if (least !== null) this.#level(host, counters, least.get(host))
      for (const row of counters.served) this.#hearRow(other, host, row)
    }
    other.levels = levels
  }

  /** What it served stays served; what was expected of requests that ended with it was served as well. */
  gone(id: string): void {
    const other = this.#others.get(id)
    if (other === undefined) return
    this.#others.delete(id)
    for (const heard of other.rows.values()) close(heard)
  }

  /** While nobody can be told they become ever more. Of a key that comes again all is told that it was served. */
  #forgetOldest(): void {
    for (const flow of this.#changing.keys()) {
      if (flow.running > 0) continue
      this.#changing.delete(flow)
      return
    }
  }

  /** How many rows that made. */
  #tellOf(flow: Flow, at: Map<Host, Told | null>, hosts: Record<string, CountersOfHost>): number {
    let rows = 0
    for (const [host, before] of at) {
      const account = roundedOf(flow.accountAt(host))
      const { served, expected, floor } = account
      const isSame = before?.served === served && before.expected === expected && before.floor === floor
      const looks = isSame ? before.looks + 1 : 0
      at.set(host, { ...account, looks })
      if (looks >= looksMax && flow.running === 0) at.delete(host)
      if (!isPowerOfTwo(looks)) continue
      hosts[host.name]?.served.push([flow.id, this.#sinceOf(flow, host), served, expected, floor])
      rows++
    }
    this.#changing.delete(flow)
    if (at.size > 0) this.#changing.set(flow, at)
    return rows
  }

  #sinceOf(flow: Flow, host: Host): number {
    const known = this.#since.get(flow) ?? new Map<Host, number>()
    this.#since.set(flow, known)
    const since = known.get(host) ?? this.#beat
    known.set(host, since)
    return since
  }

  /** Two that counted apart until now: whoever counted from lower begins anew from where the other one is, as a key that comes back. */
  #level(host: Host, { least, last }: CountersOfHost, leastHere: number | undefined): void {
    const { flows } = this.#parts
    const above = (least ?? last) - (leastHere ?? flows.lastGranted(host))
    if (above > 0) flows.raise(host, above)
  }

  /** Of those who wait for each host at this gateway. */
  #leastHere(): ReadonlyMap<Host, number> {
    const least = new Map<Host, number>()
    for (const { flow, lane } of this.#parts.waiting()) {
      for (const host of lane.hosts) {
        least.set(host, Math.min(least.get(host) ?? Number.POSITIVE_INFINITY, flow.servedAt(host)))
      }
    }
    return least
  }

  #hearRow(other: Other, host: Host, [id, since, served, expected, floor]: CountersOfHost['served'][number]): void {
    const key = `${host.number} ${id}`
    const known = other.rows.get(key)
    // It has forgotten the key since, and begun to count it anew.
    if (known !== undefined && since < known.since) return
    const flow = this.#parts.flows.heard(id)
    const isKnown = known?.flow === flow && known.since === since
    if (known !== undefined && !isKnown) close(known)
    // What began when it was heard already has been told from its beginning.
    const before = isKnown ? known : { served: since > other.since ? 0 : served, expected: 0 }
    flow.servedElsewhere(host, served - before.served, expected - before.expected)
    flow.lift(host, floor)
    other.rows.delete(key)
    other.rows.set(key, { flow, host, since, served, expected })
    if (other.rows.size <= rowsKeptMax) return
    const [oldest] = other.rows
    if (oldest === undefined) return
    close(oldest[1])
    other.rows.delete(oldest[0])
    other.since = other.beat
  }

  *#levelsOf(host: Host): Generator<Pick<CountersOfHost, 'least' | 'last'>> {
    const since = this.#parts.clock.now() - freshMsMax
    for (const { heardAtMs, levels } of this.#others.values()) {
      const level = heardAtMs >= since ? levels.get(host) : undefined
      if (level !== undefined) yield level
    }
  }
}

/** Nothing more will be heard of it. */
function close({ flow, host, expected }: Heard): void {
  if (expected > 0) flow.servedElsewhere(host, expected, -expected)
}

function roundedOf({ served, expected, floor }: FlowAccount): FlowAccount {
  return { served: Math.round(served), expected: Math.round(expected), floor: Math.floor(floor) }
}

/** 0 too: it has just changed. */
function isPowerOfTwo(looks: number): boolean {
  return (looks & (looks - 1)) === 0
}
