/** Which hosts could take what waits in a lane, asked of its route once for each change of the hosts. */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate } from '../hosts/route.ts'
import type { Lane } from './lane.ts'

/** Hosts tell of what changes, but for one thing that passes by time alone: that one refused the gateway's key. */
const candidatesMsMax = 1_000

export class LaneHosts {
  readonly #clock: Clock
  #change = 0
  #seenAtMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Hosts came up, went away, or have other models or slots. */
  changed(): void {
    this.#change++
  }

  candidates(lane: Lane): readonly Candidate[] {
    const now = this.#clock.now()
    if (now - this.#seenAtMs >= candidatesMsMax) {
      this.#seenAtMs = now
      this.#change++
    }
    return lane.candidates(this.#change)
  }

  takes(lane: Lane, host: Host): boolean {
    this.candidates(lane)
    return lane.hosts.includes(host)
  }

  /** Those whose slots it may be granted; a paused one gives none. */
  granting(lane: Lane): readonly Host[] {
    this.candidates(lane)
    const { hosts } = lane
    return hosts.some(isPaused) ? hosts.filter((host) => !isPaused(host)) : hosts
  }

  /** Of all the lanes. */
  ofAll(lanes: Iterable<Lane>): ReadonlySet<Host> {
    const hosts = new Set<Host>()
    for (const lane of lanes) for (const { host } of this.candidates(lane)) hosts.add(host)
    return hosts
  }

  /** Until one of them takes work again; 0 when one would now, or where there is none. */
  busyForMs(lane: Lane): number {
    const hosts = this.granting(lane)
    return hosts.length === 0 ? 0 : Math.min(...hosts.map(({ health }) => health.busyForMs))
  }
}

function isPaused({ paused }: Host): boolean {
  return paused
}
