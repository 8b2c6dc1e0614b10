import { expect, it } from 'vitest'
import { gapEdgesSeconds, gapSampleEvery } from '../../../src/metering/events.ts'
import { Meter } from '../../../src/metering/meter.ts'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
import { StreamGaps } from '../../../src/metering/stream-gaps.ts'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'
import { perTokenBuckets } from '../../../src/observe/definitions/buckets.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const countOf = (counts: ArrayLike<number>) => Array.from(counts).reduce((sum, count) => sum + count, 0)

it('classes one gap in eight, with its length', () => {
  const gaps = new StreamGaps({ stallMs: 2_000 }).of('m', 'h')
  for (let index = 0; index < 10_000 * gapSampleEvery; index += 1) gaps.seen(20)
  const count = countOf(gaps.counts)
  expect(Math.abs(count - 10_000)).toBeLessThan(300)
  expect(gaps.counts[gapEdgesSeconds.indexOf(0.02)]).toBe(count)
  expect(gaps.sumSeconds).toBeCloseTo(count * 0.02)
})

it.each([2, 4, 7, 8, 15, 16])('takes the gaps of bursts of %i as often as they are there', (burst) => {
  const gaps = new StreamGaps({ stallMs: 2_000 }).of('m', 'h')
  for (let index = 0; index < 80_000; index += 1) gaps.seen(index % burst === 0 ? 200 : 0)
  const shareOfPauses = (gaps.counts[gapEdgesSeconds.indexOf(0.2)] ?? 0) / countOf(gaps.counts)
  expect(Math.abs(shareOfPauses - 1 / burst)).toBeLessThan(0.02)
})

it('has the edges of the time per output token and three more for what stands still', () => {
  expect(gapEdgesSeconds).toEqual([...perTokenBuckets, 5, 10, 30])
})

it('puts what is beyond the last edge into the last class', () => {
  const gaps = new StreamGaps({ stallMs: 60_000 }).of('m', 'h')
  gaps.seen(30_001)
  expect(gaps.counts[gapEdgesSeconds.length]).toBe(1)
})

it('counts every stall, sampled or not: only what is longer than stallMs', () => {
  const gaps = new StreamGaps({ stallMs: 2_000 }).of('m', 'h')
  for (const ms of [1_999, 2_000, 2_001, 9_000]) gaps.seen(ms)
  expect(gaps.stalls).toBe(2)
})

it('sees a host that pauses for 3 s as one stall, and as no gap of a stream that has yet to begin', async () => {
  const clock = new FakeClock()
  const gaps = new StreamGaps({ stallMs: 2_000 })
  const tally = new TokenTallies().tally('m', 'h', 'k')
  const phases = new PhaseTimes(clock)
  const meter = new Meter({ clock, tally, phases, stream: true, gaps: gaps.of('m', 'h') })
  await clock.advance(5_000)
  for (const pauseMs of [0, 20, 20, 3_000, 20, 20]) {
    await clock.advance(pauseMs)
    meter.content()
  }
  meter.generated()
  await clock.advance(7_000)
  meter.end()
  expect([...gaps]).toMatchObject([{ model: 'm', host: 'h', stalls: 1 }])
})

it('is bounded: past a thousand models and hosts all others are one', () => {
  const gaps = new StreamGaps({ stallMs: 2_000 })
  for (let index = 0; index < 1_500; index += 1) gaps.of(`model-${index}`, 'h').seen(3_000)
  const totals = [...gaps]
  expect(totals).toHaveLength(1_001)
  expect(totals.at(-1)).toMatchObject({ model: 'other', host: 'other', stalls: 500 })
})
