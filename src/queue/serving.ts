/** Gives the free slots of a host to those who go next. */
import type { Host } from '../hosts/host.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { Shares } from './shares.ts'
import type { Waiter } from './waiter.ts'

interface ServingParts {
  readonly line: Line
  readonly hosts: LaneHosts
  readonly shares: Shares
  /** A slot of the host would be of use to those in the lane, as far as its model goes. */
  readonly admits: (lane: Lane, host: Host) => boolean
  /** Nobody is given anything. */
  readonly paused: () => boolean
  /** It is given a slot, or waits for one host alone; false, and it waits on, where none is there for it. */
  readonly grantNext: (waiter: Waiter) => boolean
}

export class Serving {
  readonly #parts: ServingParts
  /** Hosts whose slots are being given out, further up the stack. */
  readonly #serving = new Set<Host>()

  constructor(parts: ServingParts) {
    this.#parts = parts
  }

  serve(host: Host): void {
    if (this.#parts.line.size === 0) return
    // Whoever is granted one may give it back at once, which leads here again.
    if (this.#serving.has(host)) return
    this.#serving.add(host)
    try {
      this.#serve(host)
    } finally {
      this.#serving.delete(host)
    }
  }

  /** Who would be given a slot of the host, were one free. */
  next(host: Host): Waiter | undefined {
    const { line } = this.#parts
    return line.size === 0 ? undefined : line.next(this.#offer(host))
  }

  /** What the class of a waiter has a claim on there: the least goes first (`Line.bandOf`). */
  bandOf(waiter: Waiter, host: Host): number {
    return this.#parts.line.bandOf(waiter, this.#offer(host))
  }

  #offer(host: Host) {
    const { hosts, shares, admits } = this.#parts
    const fits = (lane: Lane): boolean => hosts.takes(lane, host) && admits(lane, host)
    return { host, fits, isShort: shares.at(host) }
  }

  #serve(host: Host): void {
    const { line, hosts, shares, admits, paused, grantNext } = this.#parts
    // Those for whom it is not the right one just now keep nobody waiting who comes behind them.
    const declined = new Set<Lane>()
    // Where many wait for models that it has not, a host is not chosen for each of them in turn.
    const admitted = new Map<Lane, boolean>()
    const loads = host.memory.loadsBy !== null
    const isAdmitted = (lane: Lane): boolean => {
      const known = admitted.get(lane)
      if (known !== undefined) return known
      const is = admits(lane, host)
      admitted.set(lane, is)
      return is
    }
    const fits = (lane: Lane): boolean => !declined.has(lane) && hosts.takes(lane, host) && (!loads || isAdmitted(lane))
    while (!paused() && line.size > 0 && host.available && host.hasFreeSlot) {
      const next = line.next({ host, fits, isShort: shares.at(host) })
      if (next === undefined) return
      if (!grantNext(next)) declined.add(next.lane)
      // What it was given may have begun a load.
      else admitted.clear()
    }
  }
}
