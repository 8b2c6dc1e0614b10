/** Bulk work makes room for a request that somebody waits for, as long as nothing of it has been sent. */
import type { Host } from '../hosts/host.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import { Lease } from './lease.ts'
import type { Line } from './line.ts'
import type { Shares } from './shares.ts'

interface GiveBackParts {
  readonly line: Line
  readonly hosts: LaneHosts
  readonly shares: Shares
  /** Whether a slot of the host would be of use to the lane. */
  readonly admits: (lane: Lane, host: Host) => boolean
  readonly gaveBack: (asked: string) => void
}

export class GiveBack {
  readonly #parts: GiveBackParts

  constructor(parts: GiveBackParts) {
    this.#parts = parts
  }

  /** True where bulk gives a slot back that the interactive requests of the lane could take. */
  ask(lane: Lane): boolean {
    const { hosts, shares, admits, gaveBack } = this.#parts
    const useful = hosts.granting(lane).filter((host) => admits(lane, host))
    const given = askForSlotBack(useful, shares)
    if (given !== null) gaveBack(given.asked)
    return given !== null
  }

  /** Also for those that came while nobody was given anything, or whose slot another class had a claim on. */
  makeRoom(): void {
    const { line } = this.#parts
    if (line.waitingOf('interactive') === 0) return
    for (const lane of Array.from(line.lanes())) {
      // One that is given back at once leads to here again, so that each time is counted anew.
      while (inNeed(lane) > this.#leaving(lane)) if (!this.ask(lane)) break
    }
  }

  /** Slots that will be given back soon, of hosts that take the lane. */
  #leaving(lane: Lane): number {
    return this.#parts.hosts.granting(lane).reduce((sum, host) => sum + leavingAt(host), 0)
  }
}

/** Whoever waits for one host alone had a slot to take elsewhere: no work is thrown away for that. */
function inNeed({ waitingOf, heldOf }: Lane): number {
  return waitingOf.interactive - heldOf.interactive
}

/**
 * Asks bulk attempts on one of the hosts for their slot, the latest granted first, since the least is lost with it; null
 * where none gives it back.
 */
function askForSlotBack(hosts: readonly Host[], shares: Shares): Lease | null {
  const leases = hosts.flatMap((host) => bulkOf(host))
  for (const lease of leases.toSorted((a, b) => b.grantedAtMs - a.grantedAtMs)) {
    if (wouldGoToInteractive(lease, shares) && lease.askBack()) return lease
  }
  return null
}

/** Those that will be given back soon, as they were asked. */
function leavingOf(host: Host): readonly Lease[] {
  return [...host.leases].filter((lease): lease is Lease => lease instanceof Lease && lease.givesBack)
}

function leavingAt(host: Host): number {
  let count = 0
  for (const lease of host.leases) if (lease instanceof Lease && lease.givesBack) count++
  return count
}

/** Where the slot of one that gives it back would be free. */
function bulkOf(host: Host): readonly Lease[] {
  const { limit, busyForMs } = host.health
  const wouldBeFree =
    host.available && !host.paused && busyForMs === 0 && host.leases.size - leavingAt(host) - 1 < limit
  if (!wouldBeFree) return []
  return [...host.leases].filter((lease): lease is Lease => isBulk(lease) && !lease.givesBack)
}

function isBulk(lease: object): lease is Lease {
  return lease instanceof Lease && lease.class === 'bulk'
}

/** What bulk holds by a share of its own it would get back at once, unless interactive has a claim, too. */
function wouldGoToInteractive(lease: Lease, shares: Shares): boolean {
  const leaving = leavingOf(lease.host)
  const isShort = shares.at(lease.host, { without: new Set([...leaving, lease]), interactive: leaving.length })
  return isShort('interactive') || !isShort('bulk')
}
