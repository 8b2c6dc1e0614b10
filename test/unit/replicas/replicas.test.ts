/** Who lives, who is told of it, and what gateways hear of each other, whatever becomes of the store and the messages. */
import { describe, expect, it } from 'vitest'
import { topicCharsMax } from '../../../src/replicas/message.ts'
import { beatEveryMs } from '../../../src/replicas/replicas.ts'
import { beats, FleetDouble, goneAfterMs, replicaIn } from './beat-store-double.ts'

async function two() {
  const fleet = new FleetDouble()
  const a = replicaIn(fleet, 'a')
  const b = replicaIn(fleet, 'b')
  await a.replicas.start()
  await b.replicas.start()
  await beats(fleet, 10)
  return { fleet, a, b }
}

describe('who lives', () => {
  it('is known to all after a beat, with names, and each counts itself', async () => {
    const { a, b } = await two()
    expect([a.replicas.count, b.replicas.count]).toEqual([2, 2])
    expect(a.replicas.all().map(({ id, status }) => [id, status?.name])).toEqual([
      ['a', 'gw-a'],
      ['b', 'gw-b'],
    ])
    expect([a.replicas.ids, b.replicas.ids]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    expect([a.events, b.events]).toEqual([
      ['told anew', 'came b'],
      ['told anew', 'came a'],
    ])
  })

  it('one that leaves is gone for the others at once', async () => {
    const { fleet, a, b } = await two()
    await b.replicas.stop()
    expect([a.replicas.count, a.events.slice(2)]).toEqual([1, ['left', 'gone b']])
    await beats(fleet, 20)
    expect([a.replicas.count, a.events.slice(4)]).toEqual([1, []])
    expect(fleet.clock.pendingTimers).toBe(1)
  })

  it('one that leaves is gone once, though an answer that knows of it was on its way', async () => {
    const { fleet, a, b } = await two()
    const held = Promise.withResolvers<void>()
    a.store.held = held.promise
    await beats(fleet)
    await b.replicas.stop()
    held.resolve()
    await beats(fleet, 5)
    expect([a.replicas.count, a.events.slice(2)]).toEqual([1, ['left', 'gone b']])
  })

  it('one that leaves is none that is missed, though nobody heard it say so', async () => {
    const { fleet, a, b } = await two()
    a.store.deaf = true
    await b.replicas.stop()
    await beats(fleet)
    expect([a.replicas.count, a.events.slice(2)]).toEqual([1, ['left', 'gone b']])
  })

  it('one that died is gone after a while, and not before', async () => {
    const { fleet, a, b } = await two()
    b.store.isUp = false
    await beats(fleet, goneAfterMs / beatEveryMs - 1)
    expect(a.replicas.count).toBe(2)
    await beats(fleet, 3)
    expect([a.replicas.count, a.events.slice(2)]).toEqual([1, ['missed', 'gone b']])
  })

  it('one that starts again under the same name is another one', async () => {
    const { fleet, a, b } = await two()
    b.store.isUp = false
    const again = replicaIn(fleet, 'b2', {
      own: { id: 'b2', name: 'gw-b', version: '1.0.1', startedAtMs: fleet.clock.wallMs() },
    })
    await again.replicas.start()
    await beats(fleet)
    expect(a.replicas.all().map(({ id, status }) => [id, status?.name])).toEqual([
      ['a', 'gw-a'],
      ['b', 'gw-b'],
      ['b2', 'gw-b'],
    ])
    await beats(fleet, goneAfterMs / beatEveryMs + 1)
    expect(a.replicas.ids).toEqual(['a', 'b2'])
  })

  it('is as many as before where the store was emptied, until all had the time to come back', async () => {
    const { fleet, a, b } = await two()
    b.store.isUp = false
    fleet.empty()
    await beats(fleet, 3)
    expect([a.replicas.count, a.replicas.isShared]).toEqual([2, false])
    await beats(fleet, 5)
    expect([a.replicas.count, a.replicas.isShared]).toEqual([1, true])
    expect(a.events.filter((event) => event === 'missed')).toHaveLength(1)
  })

  it('does not miss those who come back after it to a store that was away for all', async () => {
    const { fleet, a, b } = await two()
    for (const { store } of [a, b]) store.isUp = false
    await beats(fleet, 20)
    a.store.isUp = true
    await beats(fleet, 2)
    expect(a.replicas.count).toBe(2)
    b.store.isUp = true
    await beats(fleet, 10)
    expect([a.replicas.count, b.replicas.count]).toEqual([2, 2])
    expect([...a.events, ...b.events]).not.toContain('missed')
  })

  it('is as many as were last seen while the store is away', async () => {
    const { fleet, a } = await two()
    a.store.isUp = false
    await beats(fleet, 100)
    expect([a.replicas.count, a.replicas.isShared]).toEqual([2, false])
  })
})

describe('what must be told anew', () => {
  it('is so when the store was emptied, for all, twice where it happens twice', async () => {
    const { fleet, a, b } = await two()
    for (const times of [1, 2]) {
      fleet.empty()
      await beats(fleet, 2)
      for (const { events } of [a, b]) {
        expect(events.filter((event) => event === 'told anew')).toHaveLength(1 + times)
        expect(events.filter((event) => event === 'epoch changed')).toHaveLength(times)
      }
      expect([a.replicas.isShared, b.replicas.isShared]).toEqual([false, false])
      await beats(fleet, 5)
      expect([a.replicas.isShared, b.replicas.isShared]).toEqual([true, true])
    }
  })

  it('is so for one that stood still until it was given up, and for no other', async () => {
    const { fleet, a, b } = await two()
    b.store.isUp = false
    await beats(fleet, 20)
    b.store.isUp = true
    await beats(fleet, 2)
    expect(b.events.slice(2)).toEqual(['epoch changed', 'told anew'])
    expect(a.events.slice(2)).toEqual(['missed', 'gone b', 'came b'])
  })

  it('is so also where the beat that brought it back had no answer', async () => {
    const { fleet, b } = await two()
    b.store.isUp = false
    await beats(fleet, 20)
    b.store.isUp = true
    b.store.fails = 'after'
    await beats(fleet, 2)
    b.store.fails = null
    expect(b.events.slice(2)).toEqual([])
    await beats(fleet)
    expect(b.events.slice(2)).toEqual(['epoch changed', 'told anew'])
  })

  it('a listener that fails keeps nobody else from being told', async () => {
    const fleet = new FleetDouble()
    const a = replicaIn(fleet, 'a')
    let told = 0
    a.replicas.onEpoch(() => {
      throw new Error('broken')
    })
    a.replicas.onEpoch(() => void told++)
    await a.replicas.start()
    expect([told, a.log.length]).toEqual([1, 1])
    expect(a.log[0]).toContain('broken')
  })
})

describe('whether limits are shared', () => {
  it('only once the store has answered and has settled, and for as long as beats come through', async () => {
    const fleet = new FleetDouble()
    const a = replicaIn(fleet, 'a')
    expect(a.replicas.sharing).toMatchObject({ isShared: false, why: 'Redis does not answer beats.' })
    await a.replicas.start()
    expect(a.replicas.isShared).toBe(false)
    expect(a.replicas.sharing.why).toContain('was empty')
    await beats(fleet, 6)
    expect(a.replicas.sharing).toMatchObject({ isShared: true, why: null })
    const sharedSinceMs = a.replicas.sharing.sinceMs
    a.store.fails = 'before'
    await beats(fleet, goneAfterMs / beatEveryMs)
    expect(a.replicas.sharing).toMatchObject({ isShared: true, sinceMs: sharedSinceMs })
    await beats(fleet, 2)
    expect(a.replicas.sharing).toMatchObject({ isShared: false, why: 'Redis does not answer beats.' })
    a.store.fails = null
    await beats(fleet)
    expect(a.replicas.isShared).toBe(true)
  })

  it('tells the store whether all was told to it, and waits for as long as others have not', async () => {
    const fleet = new FleetDouble()
    const a = replicaIn(fleet, 'a')
    const has = { limits: false, slots: true }
    a.replicas.settlesOnce(() => has.limits)
    a.replicas.settlesOnce(() => has.slots)
    await a.replicas.start()
    await beats(fleet)
    expect(a.store.toldAllIn).toBe(null)
    has.limits = true
    await beats(fleet)
    expect(a.store.toldAllIn).toBe('epoch-1')
    fleet.settlesAtMs += 1_000
    await beats(fleet, 5)
    expect(a.replicas.isShared).toBe(false)
    await beats(fleet, 4)
    expect(a.replicas.isShared).toBe(true)
    // Until it has heard of the next one, it has told all in the one before.
    fleet.empty()
    await beats(fleet)
    expect(a.store.toldAllIn).toBe('epoch-1')
  })

  it('says since when not, and why', async () => {
    const { fleet, a } = await two()
    a.store.isUp = false
    a.store.problem = 'connection refused'
    const atMs = fleet.clock.wallMs()
    expect(a.replicas.sharing).toEqual({
      isShared: false,
      sinceMs: atMs,
      why: 'Redis cannot be used: connection refused',
    })
    a.store.problem = 'it loads'
    await beats(fleet, 5)
    expect(a.replicas.sharing).toEqual({ isShared: false, sinceMs: atMs, why: 'Redis cannot be used: it loads' })
    expect(a.replicas.state()).toEqual({ count: 2, isShared: false, beatAgeMs: 5 * beatEveryMs })
  })

  it('an event loop that stood still for too long does not believe to share before it has beaten again', async () => {
    const { fleet, a } = await two()
    const held = Promise.withResolvers<void>()
    a.store.held = held.promise
    await beats(fleet)
    fleet.clock.advanceSync(goneAfterMs + 1)
    expect(a.replicas.isShared).toBe(false)
    // Of the answer that came late it is not said when it was given.
    held.resolve()
    a.store.held = null
    await fleet.clock.advance(0)
    expect(a.replicas.isShared).toBe(false)
    await beats(fleet)
    expect(a.replicas.isShared).toBe(true)
  })
})

describe('what is told', () => {
  it('comes to the others under its topic with each beat, and not to oneself', async () => {
    const { fleet, a, b } = await two()
    const heard: unknown[] = []
    for (const { replicas } of [a, b]) replicas.hear('n', (from, told) => void heard.push([replicas.id, from, told]))
    let n = 0
    a.replicas.tell('n', () => (++n === 2 ? undefined : { n }))
    a.replicas.tell('unknown to others', () => 'x'.repeat(10))
    await beats(fleet, 3)
    expect(heard).toEqual([
      ['b', 'a', { n: 1 }],
      ['b', 'a', { n: 3 }],
    ])
    expect([a.log, b.log]).toEqual([[], []])
  })

  it('of several that hear a topic and of several topics each has it, though one fails, which is said once', async () => {
    const { fleet, a, b } = await two()
    const heard: string[] = []
    b.replicas.hear('one', () => {
      throw new Error('no sense in it')
    })
    b.replicas.hear('one', () => void heard.push('one'))
    b.replicas.hear('other', () => void heard.push('other'))
    a.replicas.tell('one', () => 1)
    a.replicas.tell('other', () => 2)
    await beats(fleet, 2)
    expect(heard).toEqual(['one', 'other', 'one', 'other'])
    expect(b.log).toEqual([expect.stringMatching(/^warn .*"topic":"one","problem":"no sense in it"/)])
  })

  it('leaves out a topic that fails or has far too much to tell, and says so once', async () => {
    const { fleet, a, b } = await two()
    const heard: string[] = []
    for (const topic of ['broken', 'huge', 'good']) b.replicas.hear(topic, () => void heard.push(topic))
    a.replicas.tell('broken', () => {
      throw new Error('broken')
    })
    a.replicas.tell('huge', () => 'x'.repeat(topicCharsMax))
    a.replicas.tell('good', () => 1)
    await beats(fleet, 3)
    expect(heard).toEqual(['good', 'good', 'good'])
    expect(a.log).toHaveLength(2)
  })

  it('is looked at: what is no message, or of nobody, changes nothing and throws nothing', async () => {
    const { fleet, a } = await two()
    const heard: unknown[] = []
    a.replicas.hear('t', (from, told) => void heard.push([from, told]))
    const own = { id: 'c', name: 'gw-c', version: '9', startedAtMs: 1 }
    const of = (more: object) => JSON.stringify({ own, leaves: false, told: {}, ...more })
    const badOnes = ['', 'x', 'null', '[]', '"a"', '{"own":', of({ own: null }), of({ own: { ...own, id: 7 } })]
    const others = [of({ own: { ...own, name: 'x'.repeat(129) } }), of({ own: { ...own, startedAtMs: 'now' } })]
    for (const message of [
      ...badOnes,
      ...others,
      of({ told: null }),
      of({ told: [1] }),
      of({ told: { t: 'x'.repeat(5_000_000) } }),
    ])
      expect(() => fleet.publish(message), message.slice(0, 80)).not.toThrow()
    expect([heard, a.replicas.count, a.log.length]).toEqual([[], 2, 1])
    fleet.publish(of({ told: { t: 1, unknown: 2, ['__proto__']: 3, constructor: 4 }, more: 'of a later version' }))
    expect(heard).toEqual([['c', 1]])
    expect(a.replicas.count).toBe(2)
  })

  it('of those that were there before, the status is learned from the store, as far as it is one', async () => {
    const { fleet, a, b } = await two()
    b.store.deaf = true
    const late = replicaIn(fleet, 'c')
    late.store.deaf = true
    late.store.extraStatuses = [
      ['a', 'no JSON'],
      ['gone', JSON.stringify({ id: 'gone', name: 'n', version: '1', startedAtMs: 1 })],
    ]
    await late.replicas.start()
    await fleet.clock.advance(0)
    const names = () => late.replicas.all().map(({ id, status }) => [id, status?.name ?? null])
    expect(names()).toEqual([
      ['a', null],
      ['b', 'gw-b'],
      ['c', 'gw-c'],
    ])
    late.store.extraStatuses = []
    await beats(fleet)
    expect(names()[0]).toEqual(['a', 'gw-a'])
    const asked = late.store.statusesAsked
    await beats(fleet, 5)
    expect([late.store.statusesAsked, a.log]).toEqual([asked, []])
  })
})

describe('beats', () => {
  it('never overlap: while one is awaited no other is sent', async () => {
    const { fleet, a } = await two()
    const held = Promise.withResolvers<void>()
    a.store.held = held.promise
    const before = a.store.beats
    await beats(fleet, 10)
    expect(a.store.beats).toBe(before + 1)
    held.resolve()
    a.store.held = null
    await beats(fleet, 3)
    expect(a.store.beats).toBe(before + 4)
  })

  it('go on after the store was away at the start, and it is listened to then', async () => {
    const fleet = new FleetDouble()
    const a = replicaIn(fleet, 'a')
    const b = replicaIn(fleet, 'b')
    Object.assign(a.store, { isUp: false, listenFails: 3 })
    await a.replicas.start()
    await b.replicas.start()
    await beats(fleet, 5)
    expect([a.events, a.store.beats, a.replicas.count]).toEqual([[], 0, 1])
    a.store.isUp = true
    await beats(fleet, 2)
    expect([a.events, b.events.at(-1)]).toEqual([['told anew', 'came b'], 'came a'])
    const heard: unknown[] = []
    a.replicas.hear('t', (from) => void heard.push(from))
    b.replicas.tell('t', () => 1)
    await beats(fleet)
    expect(heard).toEqual(['b'])
  })

  it('end with it: nothing is left, nobody is called, though an answer is still to come', async () => {
    const { fleet, a, b } = await two()
    const held = Promise.withResolvers<void>()
    a.store.held = held.promise
    await beats(fleet)
    const stopping = a.replicas.stop()
    fleet.empty()
    held.resolve()
    await stopping
    await b.replicas.stop()
    await beats(fleet, 3)
    expect([a.events, fleet.clock.pendingTimers]).toEqual([['told anew', 'came b'], 0])
  })
})
