import { expect, it } from 'vitest'
import { inTurns } from '../../../src/observe/turns.ts'
import { everyTurn } from '../../kit/event-loop.ts'

/** Steps of so many ms each, and the turns in which they were taken. */
async function turnsOf(stepsMs: readonly number[]): Promise<number[]> {
  let nowMs = 1_000
  let turn = 0
  const taken: number[] = []
  function* steps() {
    for (const ms of stepsMs) {
      taken.push(turn)
      nowMs += ms
      yield
    }
  }
  const stop = everyTurn(() => {
    turn += 1
  })
  await inTurns(steps(), { now: () => nowMs })
  stop()
  return taken.map((of) => of - (taken[0] ?? 0))
}

it('lets others have their turn once steps have taken 1 ms together', async () => {
  expect(await turnsOf([0.25, 0.25, 0.25, 0.25, 0.25, 3, 0.5, 0.5, 0])).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 3])
})

it('does not begin in the turn of who asks for it', async () => {
  const seen: string[] = []
  function* steps() {
    seen.push('step')
    yield
  }
  const done = inTurns(steps(), { now: () => 0 })
  seen.push('asked')
  await Promise.resolve()
  seen.push('same turn')
  await done
  expect(seen).toEqual(['asked', 'same turn', 'step'])
})

it('ends with the error of a step', async () => {
  const broken = function* () {
    yield
    throw new Error('broken')
  }
  await expect(inTurns(broken(), { now: () => 0 })).rejects.toThrow('broken')
})
