import { expect, test } from 'vitest'
import { Leavers } from '../../../src/relay/leavers.ts'

/** Time passes by work alone; a turn ends when the test says so. */
class WorkClock {
  ms = 0
  #turn: (() => void) | null = null

  now(): number {
    return this.ms
  }

  afterTurn(callback: () => void) {
    if (this.#turn !== null) throw new Error('one turn is watched at a time')
    this.#turn = callback
    return { cancel: () => {} }
  }

  get watched(): boolean {
    return this.#turn !== null
  }

  nextTurn(): void {
    const turn = this.#turn
    this.#turn = null
    turn?.()
  }
}

const microtasks = () => Promise.resolve()

function scene(workMs: number) {
  const clock = new WorkClock()
  const leavers = new Leavers(clock)
  const gone: number[] = []
  const leave = (name: number) =>
    leavers.add({
      clientLeft: () => {
        clock.ms += workMs
        gone.push(name)
      },
    })
  return { clock, leavers, gone, leave }
}

test('one that leaves alone is dealt with in the same turn, once whatever left with it is told', async () => {
  const { clock, gone, leave } = scene(0.1)
  leave(1)
  expect(gone).toEqual([])
  await microtasks()
  expect(gone).toEqual([1])
  clock.nextTurn()
  expect(clock.watched).toBe(false)
})

test('of thousands no turn deals with more than fit into 2 ms, all are dealt with, and in their order', async () => {
  const { clock, gone, leave } = scene(0.25)
  const all = Array.from({ length: 1_000 }, (_, at) => at)
  for (const name of all) leave(name)
  await microtasks()
  expect(gone).toHaveLength(8)
  let turns = 0
  while (clock.watched && turns < 1_000) {
    const before = gone.length
    clock.nextTurn()
    turns++
    expect(gone.length - before).toBeLessThanOrEqual(8)
  }
  expect(gone).toEqual(all)
  expect(turns).toBe(125)
})

test('who leaves while others wait comes after them', async () => {
  const { clock, gone, leave } = scene(2)
  leave(1)
  leave(2)
  await microtasks()
  leave(3)
  await microtasks()
  expect(gone).toEqual([1])
  clock.nextTurn()
  expect(gone).toEqual([1, 2])
  clock.nextTurn()
  expect(gone).toEqual([1, 2, 3])
})

test('one that fails takes nobody with it', async () => {
  const { clock, leavers, gone, leave } = scene(2)
  leave(1)
  leavers.add({
    clientLeft: () => {
      throw new Error('a fault')
    },
  })
  leave(2)
  await microtasks()
  expect(() => clock.nextTurn()).toThrow('a fault')
  clock.nextTurn()
  expect(gone).toEqual([1, 2])
})
