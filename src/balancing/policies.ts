/** The table of policies; adding one is a file and a line here, and its name in `options.ts`. */
import { leastBusy } from './least-busy.ts'
import type { PolicyName } from './options.ts'
import type { Chance, Policy } from './policy.ts'

export const policies: Readonly<Record<PolicyName, (chance: Chance) => Policy>> = {
  fastest: leastBusy,
  lmetric: leastBusy,
  'least-busy': leastBusy,
  'random-two': leastBusy,
  'round-robin': leastBusy,
  weighted: leastBusy,
  sticky: leastBusy,
}
