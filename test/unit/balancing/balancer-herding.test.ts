/** Gateways before the same hosts fill them as evenly as one would, and do not all rush to the one that has become free. */
import { describe, expect, it } from 'vitest'
import { type HerdRules, herdOf, rushOf } from '../../kit/herd.ts'

const rules = { requests: 2_000, perSecond: 8, tookMs: 2_000 }

/** Mean over some seeds. */
function crowdOf(more: Omit<HerdRules, 'seed' | 'requests' | 'perSecond' | 'tookMs'> & Partial<HerdRules>): number {
  const crowds = [1, 2].map((seed) => herdOf({ ...rules, ...more, seed }).crowd)
  return crowds.reduce((sum, crowd) => sum + crowd, 0) / crowds.length
}

describe.each(['fastest', 'least-busy'] as const)('by %s', (policy) => {
  const alone = crowdOf({ policy, gateways: 1, knows: 'nothing' })

  it.each([4, 8])(
    '%i gateways that tell each other crowd hosts as little as one does, and more where they do not',
    (gateways) => {
      expect(crowdOf({ policy, gateways, knows: 'beats' }) / alone).toBeLessThan(1.02)
      expect(crowdOf({ policy, gateways, knows: 'beats and slots' }) / alone).toBeLessThan(1.02)
      expect(crowdOf({ policy, gateways, knows: 'nothing' }) / alone).toBeGreaterThan(1.025)
    },
  )

  it('nor much more where a dozen requests come between two beats and are over by the next', () => {
    const quick = { perSecond: 64, tookMs: 250 }
    const shared = crowdOf({ policy, gateways: 4, knows: 'beats and slots', ...quick })
    expect(shared / crowdOf({ policy, gateways: 1, knows: 'nothing', ...quick })).toBeLessThan(1.04)
  })
})

describe('a host that has become free beside three that have four requests each', () => {
  it('is given as many as make it one of them by one gateway', () => {
    expect(rushOf(1, 'nothing', 16, 4)[0]).toBeLessThanOrEqual(8)
  })

  it('is rushed to by all where only beats tell, and hardly more than by one where the answers of slots do', () => {
    expect(rushOf(4, 'beats', 16, 4)[0]).toBe(16)
    expect(rushOf(4, 'beats and slots', 16, 4)[0]).toBeLessThanOrEqual(8)
    expect(rushOf(8, 'beats and slots', 16, 4)[0]).toBeLessThanOrEqual(12)
  })
})
