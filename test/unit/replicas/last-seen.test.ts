/** How many gateways a start without Redis goes by, and what of it is kept for the next one. */
import { describe, expect, it } from 'vitest'
import { beats, FleetDouble, replicaIn } from './beat-store-double.ts'

const tenMinutesOfBeats = 3_000

/** A gateway with a file that has `count`. */
function keeping(fleet: FleetDouble, id: string, count: number | null) {
  const replica = replicaIn(fleet, id)
  const kept: number[] = []
  const file = { isWritable: true }
  replica.replicas.keepCount({
    count,
    keep: async (now) => {
      if (!file.isWritable) throw new Error('the disk is full')
      kept.push(now)
    },
  })
  return { ...replica, kept, file }
}

describe('a gateway that starts while the store is away', () => {
  it('is one of as many as were seen last', async () => {
    const { replicas, store } = keeping(new FleetDouble(), 'a', 3)
    store.isUp = false
    await replicas.start()
    expect([replicas.count, replicas.ids, replicas.isShared]).toEqual([3, ['a'], false])
  })

  it('is so until the others have had the time to come back, too, and then counts those that live', async () => {
    const fleet = new FleetDouble()
    // It has run for long, and has kept what it had.
    fleet.epoch = 'epoch of before'
    const [a, b] = [keeping(fleet, 'a', 3), keeping(fleet, 'b', 3)]
    for (const { store, replicas } of [a, b]) {
      store.isUp = false
      await replicas.start()
    }
    await beats(fleet)
    a.store.isUp = true
    await beats(fleet, 2)
    expect([a.replicas.count, b.replicas.count]).toEqual([3, 3])
    b.store.isUp = true
    await beats(fleet, 7)
    expect([a.replicas.count, b.replicas.count]).toEqual([2, 2])
    // What was seen in another life is over, also when the store goes again.
    a.store.isUp = false
    await beats(fleet, 20)
    expect(a.replicas.count).toBe(2)
  })

  it('never counts fewer than live', async () => {
    const fleet = new FleetDouble()
    for (const id of ['b', 'c']) await replicaIn(fleet, id).replicas.start()
    const a = keeping(fleet, 'a', 2)
    await a.replicas.start()
    expect(a.replicas.count).toBe(3)
  })

  it.each([null, 0, -1, 1.5, Number.NaN])('counts itself alone where %s was kept', async (count) => {
    const { replicas, store } = keeping(new FleetDouble(), 'a', count)
    store.isUp = false
    await replicas.start()
    expect(replicas.count).toBe(1)
  })
})

describe('what is kept', () => {
  it('is written when more live, and not with each beat', async () => {
    const fleet = new FleetDouble()
    const a = keeping(fleet, 'a', null)
    await a.replicas.start()
    await beats(fleet, 10)
    expect(a.kept).toEqual([])
    const b = keeping(fleet, 'b', null)
    await b.replicas.start()
    await beats(fleet, 20)
    expect([a.kept, b.kept]).toEqual([[2], [2]])
  })

  it('is written as soon as more are seen, also by one that has just come', async () => {
    const fleet = new FleetDouble()
    const a = keeping(fleet, 'a', null)
    await a.replicas.start()
    const b = replicaIn(fleet, 'b')
    await b.replicas.start()
    const kept: number[] = []
    b.replicas.keepCount({ count: null, keep: async (count) => void kept.push(count) })
    await beats(fleet)
    expect([a.replicas.isShared, a.kept, kept]).toEqual([false, [2], [2]])
  })

  it('is not made less by gateways that are stopped one after the other, only by fewer for long', async () => {
    const fleet = new FleetDouble()
    const [a, b, c] = ['a', 'b', 'c'].map((id) => keeping(fleet, id, 3))
    for (const one of [a, b, c]) await one?.replicas.start()
    await beats(fleet, 20)
    await c?.replicas.stop()
    await beats(fleet, 20)
    await b?.replicas.stop()
    await beats(fleet, tenMinutesOfBeats - 40)
    expect([a?.kept, b?.kept, c?.kept]).toEqual([[], [], []])
    await beats(fleet, 60)
    expect(a?.kept).toEqual([2])
    await beats(fleet, tenMinutesOfBeats + 20)
    expect(a?.kept).toEqual([2, 1])
  })

  it('is tried again where it could not be written, with a word once', async () => {
    const fleet = new FleetDouble()
    const a = keeping(fleet, 'a', null)
    a.file.isWritable = false
    await a.replicas.start()
    await replicaIn(fleet, 'b').replicas.start()
    await beats(fleet, 700)
    expect(a.log).toHaveLength(1)
    expect(a.log[0]).toContain('the disk is full')
    a.file.isWritable = true
    await beats(fleet, 310)
    expect([a.kept, a.log.length]).toEqual([[2], 1])
  })
})
