/** From rounds to a row: what is added, and ratios, are of one round each. */
import { expect, test } from 'vitest'
import { medianOf, ratiosOf, rowOf } from '../../bench/rounds.ts'
import type { TargetName } from '../../bench/targets/target.ts'

const round = (values: Partial<Record<TargetName, number>>) =>
  new Map(Object.entries(values).map(([name, us]) => [name as TargetName, { us }]))
const of = ({ us }: { readonly us: number }) => us

const rounds = [
  round({ direct: 1, nginx: 10, gateway: 20, baseline: 40 }),
  round({ direct: 2, nginx: 20, gateway: 22, baseline: 11 }),
  round({ direct: 3, nginx: 40, gateway: 120, baseline: 60 }),
]

test('a ratio is the median of those of each round, not the ratio of medians', () => {
  const row = rowOf(rounds, { figure: 'f', unit: 'µs', compared: true, must: 5, of })
  expect(row).toMatchObject({ figure: 'f', must: 5, goal: null, better: 'lower' })
  expect(row.ratioToNginx).toEqual({ median: 2, low: 1.1, high: 3, interval: 'min to max' })
  expect(row.ratioToBaseline?.median).toBe(2)
  expect(medianOf(row, 'gateway')).toBe(22)
})

test('what is added is the difference to the host itself in the same round', () => {
  const row = rowOf(rounds, { figure: 'f', unit: 'µs', added: true, of })
  expect(medianOf(row, 'gateway')).toBe(20)
  expect(medianOf(row, 'direct')).toBe(0)
  expect(row.ratioToNginx).toBeNull()
})

test('a target that was never measured is not in the row, nor a round without a figure in the spread', () => {
  const row = rowOf([...rounds, round({ gateway: 1_000 })], {
    figure: 'f',
    unit: 'µs',
    of: ({ us }) => (us === 1_000 ? null : us),
  })
  expect(Object.keys(row.byTarget)).toEqual(['direct', 'nginx', 'baseline', 'gateway'])
  expect(row.byTarget.gateway).toMatchObject({ median: 22, high: 120 })
})

test('rounds that lack one of both have no ratio', () => {
  expect(ratiosOf([1, null, 3, 4], [2, 2, null, 0])).toEqual([0.5])
})
