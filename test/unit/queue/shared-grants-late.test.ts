import { describe, expect, it } from 'vitest'
import type { Asker } from './line.ts'
import { goneAfterMs, release, state, two } from './shared-world.ts'

describe('one answer that does not come', () => {
  async function fullAtB(slots: number, held: number) {
    const world = two({ hosts: { studio: { slots } } })
    const asked = Array.from({ length: held }, () => world.b.ask())
    // It was told of all that others have.
    const told = world.a.ask()
    told.turn.leave()
    told.lease?.release()
    await world.clock.advance(300)
    world.a.road.isCut = true
    return { ...world, asked }
  }

  it('leaves to the others what was theirs a moment ago, and is asked for again', async () => {
    const { clock, a, asked, running } = await fullAtB(4, 3)
    const own = [a.ask(), a.ask()]
    await clock.advance(60)
    expect(own.map(state)).toEqual(['runs', 'waits'])
    for (let ms = 0; ms < 900; ms += 100) {
      await clock.advance(100)
      expect(running()).toBe(4)
    }
    release(asked[0] as Asker)
    a.road.isCut = false
    await clock.advance(400)
    expect(own.map(state)).toEqual(['runs', 'runs'])
  })

  it('leaves no more than its share to this gateway, however much is free', async () => {
    const { clock, a } = await fullAtB(4, 0)
    const own = [a.ask(), a.ask(), a.ask()]
    await clock.advance(60)
    expect(own.map(state)).toEqual(['runs', 'runs', 'waits'])
  })

  it('leaves all of its share once what was told is too old', async () => {
    const { clock, a, running } = await fullAtB(4, 3)
    const own = [a.ask(), a.ask()]
    await clock.advance(goneAfterMs - 1_000)
    expect(own.map(state)).toEqual(['runs', 'waits'])
    await clock.advance(1_500)
    expect(own.map(state)).toEqual(['runs', 'runs'])
    expect(running()).toBe(5)
  })

  it('is late: what was refused then is no longer what was told before, and what was granted is there to be asked for', async () => {
    const { clock, a, asked, slots } = await fullAtB(4, 4)
    const own = a.ask()
    await clock.advance(60)
    expect(state(own)).toBe('waits')
    release(asked[0] as Asker)
    a.road.isCut = false
    a.replica.late('studio', { granted: true, elsewhere: 3 })
    await clock.advance(0)
    expect([state(own), slots.held('studio')]).toEqual(['runs', 4])
    a.replica.late('studio', { granted: false, elsewhere: 2 })
    expect(a.host().elsewhere.held).toBe(2)
  })
})
