/** Where a sweep of rates ends. */
import { expect, test } from 'vitest'
import { capacityOf, type Rung } from '../../bench/parts/ceilings.ts'

const rung = (offered: number, p99Ms: number, delivered = offered): Rung => ({ offered, delivered, p99Ms })

test('is below the first rate whose delays leave the bound, also where a higher one keeps it', () => {
  const rungs = [rung(100, 2), rung(200, 8), rung(300, 20), rung(400, 9)]
  expect([1, 5, 10, 50].map((boundMs) => capacityOf(rungs, boundMs))).toEqual([0, 100, 200, 400])
})

test('is below the first rate that did not come through', () => {
  expect(capacityOf([rung(100, 1), rung(200, 1, 180), rung(300, 1)], 10)).toBe(100)
})

test('of nothing is nothing', () => {
  expect(capacityOf([], 10)).toBe(0)
})
