/** All that chooses hosts, made from its options. */
import { Balancer, type BalancerParts } from './balancer.ts'
import { LearnedSpeeds, type Speeds } from './learned-speeds.ts'
import type { BalancingOptions } from './options.ts'
import { noPrefixes, type Prefixes, PrefixMemory } from './prefix-memory.ts'
import { PromptReader } from './prompt-reader.ts'
import { StillClock } from './still-clock.ts'

export interface Balancing {
  readonly balancer: Balancer
  readonly speeds: Speeds
  readonly prefixes: Prefixes
  readonly prompts: PromptReader
}

export type BalancingParts = Pick<BalancerParts, 'clock' | 'chance' | 'makePolicy' | 'accessOf'>

export function makeBalancing(options: BalancingOptions, { clock, ...others }: BalancingParts): Balancing {
  const parts = { ...others, clock: new StillClock(clock) }
  const { policy, prefixes: rules } = options
  const speeds = new LearnedSpeeds(parts)
  const prefixes = rules.enabled ? new PrefixMemory(rules.perHostMax, parts.clock) : noPrefixes
  const balancer = new Balancer({ ...parts, policy, speeds, prefixes })
  return { balancer, speeds, prefixes, prompts: new PromptReader(rules) }
}
