/** The table of policies; adding one is a file and a line here. */
import { leastBusy } from './least-busy.ts'
import type { BalancingOptions } from './options.ts'
import type { Chance, Policy } from './policy.ts'

export const policies: Readonly<Record<BalancingOptions['policy'], (chance: Chance) => Policy>> = {
  'least-busy': leastBusy,
}
