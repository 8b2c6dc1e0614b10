import { expect, it } from 'vitest'
import { leastBusy } from '../../../src/balancing/least-busy.ts'
import type { Candidate } from '../../../src/hosts/model-catalog.ts'
import { knownHost } from '../../kit/known-hosts.ts'

function candidates(...loads: number[]): [Candidate, ...Candidate[]] {
  const all = loads.map((load, index): Candidate => {
    const host = knownHost(`host-${index}`)
    for (let lease = 0; lease < load; lease++) host.leases.add({})
    return { host, model: 'm' }
  })
  return all as [Candidate, ...Candidate[]]
}

it('takes the host with the fewest requests in flight, wherever it stands', () => {
  for (const loads of [
    [1, 2, 3],
    [2, 1, 3],
    [3, 2, 1],
  ]) {
    expect(leastBusy(() => 0)(candidates(...loads)).candidate.host.leases.size).toBe(1)
  }
})

it('among equals each is taken about equally often', () => {
  const policy = leastBusy(Math.random)
  const equals = candidates(1, 0, 0, 0, 5)
  const taken = new Map<string, number>()
  for (let i = 0; i < 3_000; i++) {
    const { name } = policy(equals).candidate.host
    taken.set(name, (taken.get(name) ?? 0) + 1)
  }
  expect([...taken.keys()].toSorted()).toEqual(['host-1', 'host-2', 'host-3'])
  // 1,000 expected; 200 is more than seven standard deviations.
  for (const times of taken.values()) expect(Math.abs(times - 1_000)).toBeLessThan(200)
})

it('says whether there was a choice', () => {
  const policy = leastBusy(() => 0.5)
  expect([policy(candidates(0)).reason, policy(candidates(0, 1)).reason]).toEqual(['only_free_host', 'least_busy'])
})
