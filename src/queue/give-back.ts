/** Bulk work makes room for a request that somebody waits for, as long as nothing of it has been sent. */
import type { Host } from '../hosts/host.ts'
import { Lease } from './lease.ts'
import type { Shares } from './shares.ts'

/**
 * Asks bulk attempts on one of the hosts for their slot, the latest granted first, since the least is lost with it; null
 * where none gives it back.
 */
export function askForSlotBack(hosts: readonly Host[], shares: Shares): Lease | null {
  const leases = hosts.flatMap((host) => bulkOf(host))
  for (const lease of leases.toSorted((a, b) => b.grantedAtMs - a.grantedAtMs)) {
    if (wouldGoToInteractive(lease, shares) && lease.askBack()) return lease
  }
  return null
}

/** Those that will be given back soon, as they were asked. */
export function leavingOf(host: Host): readonly Lease[] {
  return [...host.leases].filter((lease): lease is Lease => lease instanceof Lease && lease.givesBack)
}

/** Where the slot of one that gives it back would be free. */
function bulkOf(host: Host): readonly Lease[] {
  const { limit, busyForMs } = host.health
  const wouldBeFree =
    host.available && !host.paused && busyForMs === 0 && host.leases.size - leavingOf(host).length - 1 < limit
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
