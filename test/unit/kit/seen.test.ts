import { expect, test } from 'vitest'
import { atOnceMax, burstOf, sumOf, worstMinute } from '../../kit/several-gateways/seen.ts'

const spans = [
  { fromMs: 0, toMs: 10 },
  { fromMs: 5, toMs: 15 },
  { fromMs: 10, toMs: 20 },
  { fromMs: 30, toMs: 31 },
]

test('what ends when another begins is not there beside it', () => {
  expect(atOnceMax(spans)).toBe(2)
  expect(atOnceMax([...spans, { fromMs: 9, toMs: 11 }])).toBe(3)
  expect(atOnceMax([])).toBe(0)
})

test('only what is there within a time counts', () => {
  expect(atOnceMax(spans, { fromMs: 15, toMs: 40 })).toBe(1)
  expect(atOnceMax(spans, { fromMs: 20, toMs: 30 })).toBe(0)
})

/** Four a second for a minute. */
const steady = Array.from({ length: 240 }, (_, at) => ({ atMs: at * 250, amount: 1 }))

test('a steady rate needs no more at once than one', () => {
  expect(burstOf(steady, 240)).toBe(1)
  expect(worstMinute(steady)).toBe(240)
})

test('what came at once beyond the rate is found wherever it is', () => {
  const burst = Array.from({ length: 60 }, () => ({ atMs: 30_000, amount: 1 }))
  expect(burstOf([...steady, ...burst], 240)).toBe(61)
  expect(worstMinute([...burst, ...steady])).toBe(300)
  expect(burstOf([...steady, ...burst], 240, { fromMs: 0, toMs: 30_000 })).toBe(1)
  expect(sumOf([...steady, ...burst], { fromMs: 29_999, toMs: 30_001 })).toBe(61)
})

test('twice the rate is seen the better the longer it lasts', () => {
  const twice = steady.map(({ atMs, amount }) => ({ atMs, amount: 2 * amount }))
  expect(burstOf(twice, 240)).toBeCloseTo(241, 0)
})

test('a minute is over after 60 s', () => {
  const ends = [
    { atMs: 0, amount: 5 },
    { atMs: 59_999, amount: 5 },
    { atMs: 60_000, amount: 5 },
  ]
  expect(worstMinute(ends)).toBe(10)
})
