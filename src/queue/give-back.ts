/** Bulk work makes room for a request that somebody waits for, as long as nothing of it has been sent. */
import type { Host } from '../hosts/host.ts'
import type { Lease } from './lease.ts'
import type { QueueRules } from './options.ts'
import { slotsOf } from './shares.ts'

/**
 * Asks bulk attempts on one of the hosts for their slot, the latest granted first, since the least is lost with it; null
 * where none gives it back.
 */
export function askForSlotBack(hosts: readonly Host[], classes: QueueRules['classes']): Lease | null {
  const leases = hosts.flatMap((host) => yielding(host, classes))
  for (const lease of leases.toSorted((a, b) => b.grantedAtMs - a.grantedAtMs)) if (lease.askBack()) return lease
  return null
}

/** Bulk attempts whose slot would go to the interactive request that waits. */
function yielding(host: Host, classes: QueueRules['classes']): readonly Lease[] {
  const { leases, has, share } = slotsOf(host, classes)
  const leaving = leases.filter(({ givesBack }) => givesBack).length
  const { limit, busyForMs } = host.health
  const wouldBeFree = host.available && !host.paused && busyForMs === 0 && host.leases.size - leaving - 1 < limit
  // Of what bulk holds by its own share it would get the next slot back at once, unless interactive is short, too.
  const keepsItsShare = has.bulk - leaving - 1 >= share('bulk')
  const wins = keepsItsShare || has.interactive + leaving < share('interactive')
  return wouldBeFree && wins ? leases.filter((lease) => lease.class === 'bulk') : []
}
