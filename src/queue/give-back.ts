/** Bulk work makes room for a request that somebody waits for, as long as nothing of it has been sent. */
import type { Host } from '../hosts/host.ts'
import { Lease } from './lease.ts'

/**
 * Asks bulk attempts on one of the hosts for their slot, the latest granted first, since the least is lost with it; null
 * where none gives it back.
 */
export function askForSlotBack(hosts: readonly Host[]): Lease | null {
  const leases = hosts
    .filter(({ paused }) => !paused)
    .flatMap((host) => [...host.leases])
    .filter((lease): lease is Lease => lease instanceof Lease && lease.class === 'bulk')
  for (const lease of leases.toSorted((a, b) => b.grantedAtMs - a.grantedAtMs)) if (lease.askBack()) return lease
  return null
}
