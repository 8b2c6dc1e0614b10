/** The last decisions, so that one can be asked why a request went where it did. */
import { Ring } from '../base/ring.ts'
import type { BalancingEvents, DecisionRecord } from './events.ts'

export class RecentDecisions extends Ring<DecisionRecord> {}

/** The same events; each decision is kept, too. */
export function keptBy(recent: RecentDecisions, events: BalancingEvents): BalancingEvents {
  return {
    decided(decision) {
      recent.add(decision)
      events.decided(decision)
    },
    holdEnded: (at, result, ms) => events.holdEnded(at, result, ms),
  }
}
