/** The soak in its short form: the same load, faults and accounts for a few seconds. */
import { expect, it } from 'vitest'
import { soak } from './soak.ts'

it('S11: after a load with faults, leavers, slow readers and bursts nothing is left, lost, or counted wrong', async () => {
  const report = await soak({
    minutes: 0.15,
    warmUpSeconds: 5,
    streams: 60,
    tokensPerSecond: 40,
    seed: 11,
    // A process this young still grows with what it compiles.
    heapShareMax: 0.15,
    say: () => {},
  })
  expect(report.violations).toEqual([])
  expect(report.requests).toBeGreaterThan(50)
  expect(report.verdicts['complete']).toBeGreaterThan(20)
  expect(Object.keys(report.faults).length).toBeGreaterThan(0)
})
