import { expect, test } from 'vitest'
import { growthPerMinute, type Sample } from '../../bench/parts/soak-growth.ts'

const sample = (minute: number, liveBytes: number): Sample => ({ atMs: minute * 60_000, liveBytes, residentBytes: 0 })
const live = (each: Sample) => each.liveBytes

test('the slope of a line through the samples, in bytes a minute', () => {
  expect(growthPerMinute([sample(0, 100), sample(1, 130), sample(2, 160)], live)).toBeCloseTo(30)
  expect(growthPerMinute([sample(0, 100), sample(1, 300), sample(2, 100), sample(3, 300)], live)).toBeCloseTo(40)
})

test('where there is no line, nothing grows', () => {
  expect(growthPerMinute([], live)).toBe(0)
  expect(growthPerMinute([sample(1, 100)], live)).toBe(0)
})
