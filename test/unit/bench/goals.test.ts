/** The table of goals: none is left out, whatever was measured. */
import { expect, test } from 'vitest'
import { goalRows, goalsLeftOut } from '../../bench/goals.ts'
import type { Row } from '../../bench/parts/part.ts'
import { spreadOf } from '../../bench/statistics.ts'

const row = (figure: string): Row => ({
  figure,
  unit: 'µs',
  byTarget: { gateway: spreadOf([1]) },
  ratioToNginx: null,
  must: 5,
  goal: 1,
  better: 'lower',
  note: 'of the part',
})

test('goals whose part was not measured are named with it', () => {
  expect(goalRows([])).toEqual([])
  expect(goalsLeftOut([])).toHaveLength(18)
  const left = goalsLeftOut([{ name: 'line', rows: [row('line: leave, 100 waiting')] }])
  expect(left).toContain('queue: add + pop (line)')
  expect(left).not.toContain('queue: abort (line)')
})

test('a figure has the name of its goal, and beside it its own where there are several', () => {
  const one = goalRows([{ name: 'line', rows: [row('line: add and take, 100 waiting'), row('line: memory a waiter')] }])
  expect(one.find(({ figure }) => figure === 'queue: add + pop')).toEqual({
    ...row('queue: add + pop'),
    note: undefined,
  })
  const two = goalRows([
    {
      name: 'line',
      rows: [
        row('line: leave, 100 waiting'),
        row('line: leave, 100000 waiting'),
        row('line: leave, 1000 models, 9 waiting'),
      ],
    },
  ])
  expect(two.map(({ figure }) => figure).filter((figure) => figure.startsWith('queue: abort'))).toEqual([
    'queue: abort (line: leave, 100 waiting)',
    'queue: abort (line: leave, 100000 waiting)',
  ])
})
