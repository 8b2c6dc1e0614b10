/** Gateways before the same hosts, each with its own line, that share slots by the rules that are written down plainly. */
import type { Host } from '../../../src/hosts/host.ts'
import type { SharedSlotEvents } from '../../../src/queue/events.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { type KnownHost, knownHost } from '../../kit/known-hosts.ts'
import { PlainReplica, type PlainRoad, PlainSlots } from '../../kit/plain-slots.ts'
import { type Asker, type LineOptions, line } from './line.ts'

export const goneAfterMs = 3_000

export interface SharedWorldOptions extends Omit<LineOptions, 'clock' | 'sharing' | 'balancer' | 'decisions'> {
  readonly gateways?: number
  readonly hosts?: Readonly<Record<string, KnownHost>>
  /** How long a message is on its way; 0: it is there before whoever sends it goes on. */
  readonly delayMs?: number
}

export interface WorldGateway extends ReturnType<typeof line> {
  readonly id: string
  readonly hosts: readonly Host[]
  readonly replica: PlainReplica
  readonly road: HeldRoad
  /** What was asked of all, and what came of it. */
  readonly outcomes: string[]
  host(name?: string): Host
}

/** What is sent while it is held is neither there nor lost yet; where it is cut it is lost. */
export class HeldRoad implements PlainRoad {
  readonly #clock: FakeClock
  readonly #delayMs: number
  readonly #held: (() => void)[] = []
  isHeld = false
  isCut = false

  constructor(clock: FakeClock, delayMs: number) {
    this.#clock = clock
    this.#delayMs = delayMs
  }

  send(arrives: () => void, lost?: () => void): void {
    if (this.isCut) {
      if (lost !== undefined) this.#clock.after(50, lost)
    } else if (this.isHeld) this.#held.push(arrives)
    else if (this.#delayMs === 0) arrives()
    else this.#clock.after(this.#delayMs, arrives)
  }

  /** What was held is lost. */
  forget(): void {
    this.isHeld = false
    this.#held.length = 0
  }
}

export function sharedWorld({
  gateways = 2,
  hosts = { studio: { slots: 2 } },
  delayMs = 0,
  ...options
}: SharedWorldOptions = {}) {
  const clock = new FakeClock()
  const all: WorldGateway[] = []
  const slots = new PlainSlots({
    nowMs: () => clock.now(),
    goneAfterMs,
    free: (id, host, elsewhere) => all.find((one) => one.id === id)?.replica.freed(host, elsewhere),
  })
  for (let at = 0; at < gateways; at++) {
    const id = String.fromCharCode(97 + at)
    const road = new HeldRoad(clock, delayMs)
    const replica = new PlainReplica(id, slots, { road, count: () => gateways })
    const own = Object.entries(hosts).map(([name, host]) =>
      knownHost(name, { ...host, parts: { clock, ...host.parts } }),
    )
    const outcomes: string[] = []
    const events: SharedSlotEvents = {
      slotAsked: (host, outcome) => void outcomes.push(`${host} ${outcome}`),
      slotAnswerUndone: (host) => void outcomes.push(`${host} undone`),
    }
    const sharing = { slots: replica, chance: () => 0.5, events }
    const host = (name = 'studio'): Host => {
      const found = own.find((one) => one.name === name)
      if (found === undefined) throw new Error(`no host ${name}`)
      return found
    }
    slots.beat(id)
    all.push({ ...line(own, { ...options, clock, sharing }), id, hosts: own, replica, road, outcomes, host })
  }
  /** Of all gateways, of attempts that have begun. */
  const running = (name = 'studio'): number => all.reduce((sum, one) => sum + begunAt(one.host(name)), 0)
  return { clock, gateways: all, slots, running }
}

function begunAt(host: Host): number {
  let begun = 0
  for (const lease of host.leases) if ('begun' in lease && lease.begun === true) begun++
  return begun
}

export function two(options: SharedWorldOptions = {}) {
  const world = sharedWorld(options)
  const [a, b] = world.gateways as [WorldGateway, WorldGateway]
  return { ...world, a, b }
}

export function release({ lease }: Asker): void {
  if (lease === null) throw new Error('it has no slot')
  lease.release()
}

export function state({ lease, error }: Asker): string {
  return lease !== null ? 'runs' : error !== null ? 'refused' : 'waits'
}
