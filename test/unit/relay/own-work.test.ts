import { expect, test } from 'vitest'
import type { OverheadStage } from '../../../src/relay/events.ts'
import { OwnWork } from '../../../src/relay/own-work.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

/** A request whose key took 3 ms to look up. */
function working() {
  const clock = new FakeClock()
  const acceptedAtMs = clock.now()
  clock.advanceSync(3)
  const work = new OwnWork(clock, acceptedAtMs)
  const told = () => {
    const worked: [OverheadStage, number][] = []
    work.tell({ worked: (stage, ms) => void worked.push([stage, ms]) })
    return worked
  }
  return { clock, work, told }
}

test('a request that is refused at the door tells of the door and of its end alone', () => {
  const { clock, work, told } = working()
  clock.advanceSync(100)
  work.turnTo('settle')
  clock.advanceSync(2)
  expect(told()).toEqual([
    ['auth', 3],
    ['settle', 2],
  ])
})

test('a step within another one is counted to itself alone', () => {
  const { clock, work, told } = working()
  work.turnTo('limit')
  clock.advanceSync(1)
  const outer = work.turnTo('queue')
  clock.advanceSync(10)
  const inner = work.turnTo('send')
  clock.advanceSync(100)
  work.turnTo(inner)
  clock.advanceSync(20)
  work.turnTo(outer)
  clock.advanceSync(4)
  work.turnTo(null)
  expect(told()).toEqual([
    ['auth', 3],
    ['limit', 5],
    ['queue', 30],
    ['send', 100],
  ])
})

test('what comes between two steps is no work, and a step that is taken again adds up', () => {
  const { clock, work, told } = working()
  for (const waitMs of [1_000, 5_000]) {
    work.turnTo('send')
    clock.advanceSync(7)
    work.turnTo(null)
    clock.advanceSync(waitMs)
  }
  expect(told()).toEqual([
    ['auth', 3],
    ['send', 14],
  ])
})

test('a step that took no time is told all the same', () => {
  const { work, told } = working()
  work.turnTo('route')
  expect(told()).toEqual([
    ['auth', 3],
    ['route', 0],
  ])
})
