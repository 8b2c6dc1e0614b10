/** The ways to choose a host that are compared: all of the product, and some that show what each part of them is worth. */
import { type PolicyName, policyNames } from '../../src/balancing/options.ts'
import { policies } from '../../src/balancing/policies.ts'
import { areAny, type Chance, freeOf, leastOf, type Policy } from '../../src/balancing/policy.ts'
import { assumedSpeed } from '../../src/balancing/speed.ts'

export interface SimPolicy {
  readonly policy: PolicyName
  /** In place of the one of that name. */
  readonly makePolicy?: (chance: Chance) => Policy
  /** Which host has read what is not remembered. */
  readonly forgetful?: true
}

const baselines = {
  /** Any host that is free. */
  random: { policy: 'random-two', makePolicy: anyFree },
  /** As `fastest`, but it does not know what hosts have read. */
  'fastest-forgetful': { policy: 'fastest', forgetful: true },
  /** As `fastest`, but it takes all hosts to be as fast as each other, whatever their answers have told. */
  'fastest-blind': { policy: 'fastest', makePolicy: blindToSpeeds },
} as const satisfies Readonly<Record<string, SimPolicy>>

export type SimPolicyName = PolicyName | keyof typeof baselines

export const simPolicies: Readonly<Record<SimPolicyName, SimPolicy>> = {
  ...(Object.fromEntries(policyNames.map((policy) => [policy, { policy }])) as Record<PolicyName, SimPolicy>),
  ...baselines,
}
export const simPolicyNames = Object.keys(simPolicies) as SimPolicyName[]

function anyFree(chance: Chance): Policy {
  return { choose: (_ask, places) => ({ place: leastOf(freeOf(places), () => 0, chance), reason: 'next_in_turn' }) }
}

function blindToSpeeds(chance: Chance): Policy {
  const fastest = policies.fastest(chance)
  return {
    choose: (ask, places) => {
      const alike = places.map((place) => ({ ...place, speed: assumedSpeed }))
      const choice = fastest.choose(ask, areAny(alike) ? alike : places)
      const place = places.find(({ host }) => host === choice.place.host)
      return { ...choice, place: place ?? choice.place }
    },
  }
}
