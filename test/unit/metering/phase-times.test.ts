import { expect, it } from 'vitest'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

it('tells how many answers are in each phase, and adds their seconds up while they run', async () => {
  const clock = new FakeClock()
  const phases = new PhaseTimes(clock)
  const ends = [phases.enter('m', 'h', 'prefill'), phases.enter('m', 'h', 'decode'), phases.enter('m', 'h', 'whole')]
  await clock.advance(2_000)
  expect([...phases.totals()]).toEqual([
    {
      model: 'm',
      host: 'h',
      prefillSeconds: 2,
      decodeSeconds: 2,
      wholeSeconds: 2,
      busySeconds: 2,
      running: { prefill: 1, decode: 1, whole: 1 },
    },
  ])
  for (const end of [...ends, ...ends]) end()
  await clock.advance(1_000)
  expect([...phases.totals()][0]).toMatchObject({ decodeSeconds: 2, running: { prefill: 0, decode: 0, whole: 0 } })
})

it('is busy with decoding and whole answers, not with prefill', async () => {
  const clock = new FakeClock()
  const phases = new PhaseTimes(clock)
  phases.enter('m', 'h', 'prefill')
  await clock.advance(1_000)
  phases.enter('m', 'h', 'whole')
  await clock.advance(500)
  expect([...phases.totals()][0]).toMatchObject({ prefillSeconds: 1.5, busySeconds: 0.5 })
})

it('tells of each host how long it made anything: two models at once take it no longer than one', async () => {
  const clock = new FakeClock()
  const phases = new PhaseTimes(clock)
  const ends = [phases.enter('m1', 'h', 'decode'), phases.enter('m2', 'h', 'whole'), phases.enter('m3', 'h', 'prefill')]
  const later = phases.enter('m1', 'i', 'prefill')
  await clock.advance(5_000)
  expect([...phases.generating()]).toEqual([{ host: 'h', seconds: 5 }])
  for (const end of [...ends, ...ends, later]) end()
  await clock.advance(1_000)
  phases.enter('m1', 'i', 'decode')
  await clock.advance(500)
  expect([...phases.generating()]).toEqual([
    { host: 'h', seconds: 5 },
    { host: 'i', seconds: 0.5 },
  ])
})

it('is bounded: past a thousand models and hosts all others are one, and no second is lost', async () => {
  const clock = new FakeClock()
  const phases = new PhaseTimes(clock)
  for (let index = 0; index < 1_500; index += 1) phases.enter(`model-${index}`, 'h', 'decode')
  await clock.advance(1_000)
  const totals = [...phases.totals()]
  expect(totals).toHaveLength(1_001)
  expect(totals.at(-1)).toMatchObject({ model: 'other', host: 'other', decodeSeconds: 500, busySeconds: 1 })
  for (let index = 0; index < 1_500; index += 1) phases.enter('m', `host-${index}`, 'decode')
  expect([...phases.generating()]).toHaveLength(1_001)
  expect(totals.reduce((sum, { decodeSeconds }) => sum + decodeSeconds, 0)).toBe(1_500)
})
