/** All that chooses hosts, made from its options. */
import { Balancer, type BalancerParts } from './balancer.ts'
import { LearnedSpeeds, type Speeds } from './learned-speeds.ts'
import type { BalancingOptions } from './options.ts'
import { noPrefixes, type Prefixes } from './prefix-memory.ts'

export interface Balancing {
  readonly balancer: Balancer
  readonly speeds: Speeds
  readonly prefixes: Prefixes
}

export type BalancingParts = Pick<BalancerParts, 'clock' | 'chance' | 'makePolicy'>

export function makeBalancing({ policy }: BalancingOptions, parts: BalancingParts): Balancing {
  const speeds = new LearnedSpeeds(parts)
  const prefixes = noPrefixes
  return { balancer: new Balancer({ ...parts, policy, speeds, prefixes }), speeds, prefixes }
}
