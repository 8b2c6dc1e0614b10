import { expect, test } from 'vitest'
import { Deadlines, type Waiting } from '../../../../src/stores/redis/deadlines.ts'
import { FakeClock } from '../../../kit/fake-clock.ts'

interface Noted extends Waiting {
  readonly name: string
}

function scene(waitMs = 50) {
  const clock = new FakeClock()
  const deadlines = new Deadlines(clock, waitMs)
  const expired: string[] = []
  const add = (name: string): Noted => {
    const waiting: Noted = { name, deadlineMs: 0, isOver: false, next: null, expired: () => void expired.push(name) }
    deadlines.add(waiting, clock.now())
    return waiting
  }
  return { clock, deadlines, expired, add }
}

test('each expires in its own time, by one timer', async () => {
  const { clock, expired, add } = scene()
  add('a')
  await clock.advance(20)
  add('b')
  add('c')
  expect(clock.pendingTimers).toBe(1)
  await clock.advance(29)
  expect(expired).toEqual([])
  await clock.advance(1)
  expect(expired).toEqual(['a'])
  await clock.advance(20)
  expect(expired).toEqual(['a', 'b', 'c'])
  expect(clock.pendingTimers).toBe(0)
})

test('what was answered in between does not expire, and leaves no timer behind', async () => {
  const { clock, expired, add } = scene()
  const first = add('a')
  await clock.advance(10)
  const second = add('b')
  first.isOver = true
  second.isOver = true
  await clock.advance(50)
  expect(expired).toEqual([])
  expect(clock.pendingTimers).toBe(0)
  add('c')
  await clock.advance(50)
  expect(expired).toEqual(['c'])
})

test('an answer that was read in the turn after the deadline is one', async () => {
  const { clock, expired, add } = scene()
  const waiting = add('a')
  const held = clock.after(50, () => {
    waiting.isOver = true
  })
  await clock.advance(50)
  held.cancel()
  expect(expired).toEqual([])
})

test('one that is added by one that expires waits its whole time', async () => {
  const { clock, deadlines, expired, add } = scene()
  deadlines.add({ deadlineMs: 0, isOver: false, next: null, expired: () => void add('again') }, clock.now())
  await clock.advance(50)
  expect(expired).toEqual([])
  await clock.advance(49)
  expect(expired).toEqual([])
  await clock.advance(1)
  expect(expired).toEqual(['again'])
})

test('nobody is told once it is closed', async () => {
  const { clock, deadlines, expired, add } = scene()
  add('a')
  deadlines.close()
  await clock.advance(100)
  expect(expired).toEqual([])
  expect(clock.pendingTimers).toBe(0)
})
