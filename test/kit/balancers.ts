/** Balancers for tests of what stands on them: nothing is learned or remembered, and chance is in the middle. */
import { Balancer, type BalancerParts } from '../../src/balancing/balancer.ts'
import type { Speeds } from '../../src/balancing/learned-speeds.ts'
import { noPrefixes } from '../../src/balancing/prefix-memory.ts'
import { assumedSpeed } from '../../src/balancing/speed.ts'
import { FakeClock } from './fake-clock.ts'

export const assumedSpeeds: Speeds = {
  of: () => assumedSpeed,
  observe: () => {},
  judge: () => ({ kept: null, isSure: false }),
  forget: () => {},
  all: () => [],
}

export function balancerOf(parts: Partial<BalancerParts> = {}): Balancer {
  return new Balancer({
    clock: new FakeClock(),
    policy: 'least-busy',
    chance: () => 0.5,
    speeds: assumedSpeeds,
    prefixes: noPrefixes,
    ...parts,
  })
}
