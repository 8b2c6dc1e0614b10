/** The table of policies; adding one is a file and a line here, and its name in `options.ts`. */
import { fastest } from './fastest.ts'
import { leastBusy } from './least-busy.ts'
import { lmetric } from './lmetric.ts'
import type { PolicyName } from './options.ts'
import type { Chance, Policy } from './policy.ts'
import { randomTwo } from './random-two.ts'
import { roundRobin } from './round-robin.ts'
import { sticky } from './sticky.ts'
import { weighted } from './weighted.ts'

export const policies: Readonly<Record<PolicyName, (chance: Chance) => Policy>> = {
  fastest,
  lmetric,
  'least-busy': leastBusy,
  'random-two': randomTwo,
  'round-robin': roundRobin,
  weighted,
  sticky,
}
