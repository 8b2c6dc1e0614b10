import { constants } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { heldMsMax, LoopTurns } from '../../bench/loop-probe-turns.ts'

const young = { kind: constants.NODE_PERFORMANCE_GC_MINOR }
const old = { kind: constants.NODE_PERFORMANCE_GC_MAJOR }

test('the longest turns are told, the longest first, and those at the bound are not over it', () => {
  const turns = new LoopTurns()
  for (const heldMs of [2, heldMsMax, 30, heldMsMax + 0.1]) turns.held(1_000, heldMs, heldMs)
  const { longest, over } = turns.take()
  expect(longest.map(({ heldMs }) => heldMs)).toEqual([30, heldMsMax + 0.1, heldMsMax, 2])
  expect(over).toBe(2)
})

test('of many turns the longest are kept', () => {
  const turns = new LoopTurns()
  for (let heldMs = 1; heldMs <= 100; heldMs++) turns.held(heldMs, heldMs, heldMs)
  const { longest } = turns.take()
  expect(longest.map(({ heldMs }) => heldMs)).toEqual(Array.from({ length: 20 }, (_, at) => 100 - at))
})

test('garbage collection counts for the turn in which it was, as far as it was in it', () => {
  const turns = new LoopTurns()
  turns.held(100, 40, 50)
  turns.held(200, 10, 10)
  turns.collected({ startTime: 45, duration: 10, detail: young })
  turns.collected({ startTime: 60, duration: 20, detail: old })
  turns.collected({ startTime: 150, duration: 7, detail: young })
  const { longest, gc } = turns.take()
  expect(longest.map(({ gcMs }) => gcMs)).toEqual([25, 0])
  expect(gc).toEqual({
    young: { count: 2, totalMs: 17, longestMs: 10 },
    old: { count: 1, totalMs: 20, longestMs: 20 },
  })
})

test('a turn that was interrupted held no longer for what was collected in it', () => {
  const turns = new LoopTurns()
  turns.held(100, 10, 50)
  turns.collected({ startTime: 60, duration: 30, detail: young })
  expect(turns.take().longest[0]?.gcMs).toBe(10)
})

test('what was told is forgotten', () => {
  const turns = new LoopTurns()
  turns.held(100, 40, 50)
  turns.collected({ startTime: 60, duration: 30, detail: young })
  turns.take()
  const nothing = { count: 0, totalMs: 0, longestMs: 0 }
  expect(turns.take()).toEqual({ longest: [], over: 0, gc: { young: nothing, old: nothing } })
})
