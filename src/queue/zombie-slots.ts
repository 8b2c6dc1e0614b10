/**
 * Slots of answers that were given up while their host goes on computing them. Such a slot is not free, whatever became of
 * the request: it stays taken until the host is known to be done, or until so much time has passed that it must be.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { Lease } from './lease.ts'

export interface ZombieSlotsParts {
  readonly clock: Clock
  /** How long a slot stays taken where the host tells nothing; asked again for each. */
  readonly msMax: number
  /** Asks a host how many requests it is working on; the answer comes by `told`. */
  readonly ask: (host: Host) => void
}

/** How often a host with such a slot is asked: one that is free again should not stay idle for long. */
const askEveryMs = 1_000

/** A request granted this long ago has reached its host, and the host counts it. */
const underWayMs = 1_000

interface Zombie {
  readonly lease: Lease
  readonly sinceMs: number
  readonly end: Timer
}

export class ZombieSlots {
  readonly #parts: ZombieSlotsParts
  /** By host, the oldest first. */
  readonly #zombies = new Map<Host, Zombie[]>()
  readonly #asking = new Map<Host, Timer>()
  /** What other gateways had there when the host was last asked: what they have had since then it surely counts. */
  readonly #elsewhere = new WeakMap<Host, number>()

  constructor(parts: ZombieSlotsParts) {
    this.#parts = parts
  }

  /** Instead of releasing the lease; it is released here, once. */
  keep(lease: Lease): void {
    const { clock, msMax } = this.#parts
    lease.abandon()
    // Nobody waits for a slot there any more.
    if (lease.host.draining) {
      lease.release()
      return
    }
    const zombie: Zombie = { lease, sinceMs: clock.now(), end: clock.after(msMax, () => this.#release(zombie)) }
    const ofHost = this.#zombies.get(lease.host)
    if (ofHost === undefined) this.#zombies.set(lease.host, [zombie])
    else ofHost.push(zombie)
    this.#askSoon(lease.host)
  }

  count(host: Host): number {
    return this.#zombies.get(host)?.length ?? 0
  }

  /**
   * A host says how many requests it is working on, whoever sent them; it was asked at `askedAtMs`. Counted against it are
   * only those of ours, and of other gateways, that it surely had by then, so that none is taken for a stranger's.
   */
  told(host: Host, running: number, askedAtMs: number): void {
    const zombies = this.#zombies.get(host)?.filter(({ sinceMs }) => sinceMs < askedAtMs) ?? []
    if (zombies.length === 0) return
    const kept = new Set<object>(this.#zombies.get(host)?.map(({ lease }) => lease))
    let live = 0
    for (const lease of host.leases) {
      if (lease instanceof Lease && !kept.has(lease) && lease.grantedAtMs < askedAtMs - underWayMs) live++
    }
    const { held } = host.elsewhere
    const elsewhere = Math.min(held, this.#elsewhere.get(host) ?? 0)
    this.#elsewhere.set(host, held)
    const stillComputing = Math.max(0, running - live - elsewhere)
    for (const zombie of zombies.slice(0, Math.max(0, zombies.length - stillComputing))) this.#release(zombie)
  }

  /** It belongs to the fleet no more, and is asked nothing: what it still computes keeps nobody waiting. */
  forget(host: Host): void {
    for (const zombie of this.#zombies.get(host) ?? []) this.#release(zombie)
  }

  /** Gives all of them back. */
  close(): void {
    for (const zombie of [...this.#zombies.values()].flat()) this.#release(zombie)
  }

  #release(zombie: Zombie): void {
    const { host } = zombie.lease
    const rest = this.#zombies.get(host)?.filter((one) => one !== zombie) ?? []
    zombie.end.cancel()
    if (rest.length > 0) this.#zombies.set(host, rest)
    else {
      this.#zombies.delete(host)
      this.#elsewhere.delete(host)
      this.#asking.get(host)?.cancel()
      this.#asking.delete(host)
    }
    zombie.lease.release()
  }

  #askSoon(host: Host): void {
    if (this.#asking.has(host)) return
    const timer = this.#parts.clock.after(askEveryMs, () => {
      this.#asking.delete(host)
      this.#askSoon(host)
      this.#parts.ask(host)
    })
    this.#asking.set(host, timer)
  }
}
