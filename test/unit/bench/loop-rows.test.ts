import { expect, test } from 'vitest'
import type { LoopTurn, ToldByProbe } from '../../bench/loop-probe-turns.ts'
import { heldRows } from '../../bench/parts/loop-rows.ts'

const none = { count: 0, totalMs: 0, longestMs: 0 }
const turn = (heldMs: number, gcMs: number): LoopTurn => ({ endedMs: 0, heldMs, gcMs })

test('each look counts with its longest turn, with and without garbage collection', () => {
  const looks: ToldByProbe[] = [
    { longest: [turn(30, 25), turn(8, 0)], over: 2, gc: { young: { ...none, longestMs: 25 }, old: none } },
    { longest: [turn(4, 0)], over: 0, gc: { young: none, old: { ...none, longestMs: 3 } } },
    { longest: [], over: 0, gc: { young: none, old: none } },
  ]
  const [longest, own, gc] = heldRows('a load', looks).map(({ byTarget }) => byTarget.gateway)
  expect([longest?.high, longest?.low]).toEqual([30, 0])
  expect([own?.high, own?.median]).toEqual([8, 4])
  expect([gc?.high, gc?.median]).toEqual([25, 3])
})

test('the first row has the bounds, and says how many turns were too long', () => {
  const over = { longest: [turn(30, 0)], over: 3, gc: { young: none, old: none } }
  const [longest] = heldRows('a load', [over, over])
  expect(longest).toMatchObject({ must: 20, goal: 5, note: '6 turns above 5 ms, in 2 looks' })
})
