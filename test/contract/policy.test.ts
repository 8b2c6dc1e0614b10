/** Every balancing policy of the table. */
import { expect, it } from 'vitest'
import { policyNames } from '../../src/balancing/options.ts'
import { policies } from '../../src/balancing/policies.ts'
import { policyContract } from './policy.contract.ts'

for (const name of policyNames) policyContract(name, policies[name])

it('has one for each name that can be configured, and no two names for one', () => {
  expect(Object.keys(policies).toSorted()).toEqual([...policyNames].toSorted())
  expect(new Set(Object.values(policies)).size).toBe(policyNames.length)
})
