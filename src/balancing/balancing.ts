/** All that chooses hosts, made from its options. */
import type { Clock } from '../base/clock.ts'
import { Balancer } from './balancer.ts'
import { assumedSpeeds, type Speeds } from './learned-speeds.ts'
import type { BalancingOptions } from './options.ts'
import type { Chance } from './policy.ts'
import { noPrefixes, type Prefixes } from './prefix-memory.ts'

export interface Balancing {
  readonly balancer: Balancer
  readonly speeds: Speeds
  readonly prefixes: Prefixes
}

export function makeBalancing({ policy }: BalancingOptions, parts: { clock: Clock; chance: Chance }): Balancing {
  const speeds = assumedSpeeds
  const prefixes = noPrefixes
  return { balancer: new Balancer({ ...parts, policy, speeds, prefixes }), speeds, prefixes }
}
