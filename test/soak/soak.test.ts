/** The soak in its short form: the same load, faults and accounts for a few seconds. */
import { expect, it } from 'vitest'
import { soak } from './soak.ts'

it('S11: after a load with faults, leavers, slow readers and bursts nothing is left, lost, or counted wrong', async () => {
  const report = await soak({
    minutes: 0.1,
    warmUpSeconds: 4,
    streams: 60,
    tokensPerSecond: 40,
    seed: 12,
    // A process this young still grows with what it compiles.
    heapShareMax: 0.15,
    say: () => {},
  })
  expect(report.violations).toEqual([])
  expect(report.requests).toBeGreaterThan(50)
  expect(report.verdicts['complete']).toBeGreaterThan(20)
  expect(report.verdicts['stalled reading nothing']).toBeGreaterThan(0)
  expect(Object.keys(report.faults).length).toBeGreaterThan(0)
})
