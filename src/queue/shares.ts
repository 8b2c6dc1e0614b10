/** Who holds a host's slots, beside what each class has a first claim on. */
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import { Lease } from './lease.ts'
import type { QueueRules } from './options.ts'

export interface SlotsOfHost {
  readonly leases: readonly Lease[]
  /** By the class they came with. */
  readonly has: Readonly<Record<RequestClass, number>>
  /** Slots that are reserved for the class. */
  readonly share: (ofClass: RequestClass) => number
  readonly isShort: (ofClass: RequestClass) => boolean
}

export function slotsOf(host: Host, classes: QueueRules['classes']): SlotsOfHost {
  const leases: Lease[] = []
  const has: Record<RequestClass, number> = { interactive: 0, default: 0, bulk: 0 }
  for (const lease of host.leases) {
    // Slots of answers that were given up are in nobody's way by their class.
    if (!(lease instanceof Lease)) continue
    leases.push(lease)
    has[lease.class]++
  }
  const { limit } = host.health
  const share = (ofClass: RequestClass): number => classes[ofClass].share * limit
  return { leases, has, share, isShort: (ofClass) => has[ofClass] < share(ofClass) }
}
