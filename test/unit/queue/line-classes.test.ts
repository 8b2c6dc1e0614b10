/** Who goes next by class: order inside of a key, shares of a host's slots, what patience changes, and the bounds of each class. */
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { namedLine, oneSlot, served } from './named-line.ts'

describe('inside of a key', () => {
  it('class decides, then arrival', () => {
    const { send, serveAll } = namedLine(oneSlot())
    send('running')
    send('bulk 1', { class: 'bulk' })
    send('default 1')
    send('interactive 1', { class: 'interactive' })
    send('bulk 2', { class: 'bulk' })
    send('default 2')
    send('interactive 2', { class: 'interactive' })
    expect(serveAll()).toEqual(['interactive 1', 'interactive 2', 'default 1', 'default 2', 'bulk 1', 'bulk 2'])
  })

  it('class decides also where another key was served the same, and came between its two', () => {
    const noShares = { interactive: { share: 0 }, default: { share: 0 } }
    const { send, serveAll } = namedLine(oneSlot(), { classes: noShares })
    send('running', { key: 'other' })
    // Whoever waited here before has left, so that the line looks at the interactive ones first, and at the default one last.
    const left = [send('left', { class: 'interactive' }), send('left too', { key: 'bob' })]
    send('default')
    send('of bob', { key: 'bob' })
    send('interactive', { class: 'interactive' })
    for (const { turn } of left) turn.leave()
    expect(serveAll()).toEqual(['interactive', 'default', 'of bob'])
  })

  it('one that gave its slot back goes before its like, one that a host sent back before all', () => {
    const { send, ask, granted } = namedLine(oneSlot())
    const running = send('running')
    const bulk = ask('m', { class: 'bulk' })
    const given = ask('m', { class: 'bulk', place: 'given_back' })
    const interactive = ask('m', { class: 'interactive' })
    const sentBack = ask('m', { class: 'bulk', place: 'sent_back' })
    for (const asker of [running, sentBack, interactive, given]) asker.lease?.release()
    expect(granted).toEqual([running, sentBack, interactive, given, bulk])
  })

  it('one that gave its slot back goes before no other key that was served less', () => {
    const { send, ask, granted } = namedLine(oneSlot())
    const running = served(send, 'night', 1_000, 'bulk')
    const newcomer = ask('m', { class: 'bulk', key: 'other' })
    const given = ask('m', { class: 'bulk', key: 'night', place: 'given_back' })
    running.lease?.release()
    newcomer.lease?.release()
    expect(granted).toEqual([running, newcomer, given])
  })
})

describe('shares', () => {
  it('a class without its share of the slots goes first, whatever its key was served', () => {
    const { send, order } = namedLine([knownHost('a', { slots: 4 })])
    const running = [1, 2, 3, 4].map(() => served(send, 'busy', 1_000))
    send('default of the least served', { key: 'quiet' })
    send('interactive', { key: 'busy', class: 'interactive' })
    running[0]?.lease?.release()
    expect(order().at(-1)).toBe('interactive')
  })

  it('with its share it goes by counter like any other', () => {
    const { send, order } = namedLine([knownHost('a', { slots: 4 })])
    served(send, 'busy', 1_000, 'interactive')
    const running = [1, 2, 3].map(() => served(send, 'busy', 1_000))
    send('default of the least served', { key: 'quiet' })
    send('interactive', { key: 'busy', class: 'interactive' })
    running[0]?.lease?.release()
    expect(order().at(-1)).toBe('default of the least served')
  })

  it('default has one, too, against a fleet full of interactive requests', () => {
    const { send, order } = namedLine([knownHost('a', { slots: 4 })])
    const running = [1, 2, 3, 4].map(() => served(send, 'person', 10, 'interactive'))
    send('interactive', { key: 'other person', class: 'interactive' })
    send('default', { key: 'person' })
    running[0]?.lease?.release()
    expect(order().at(-1)).toBe('default')
  })

  it('of two classes that are short the more urgent one goes first', () => {
    const { send, order } = namedLine([knownHost('a', { slots: 4 })])
    const running = [1, 2, 3, 4].map(() => served(send, 'night', 10, 'bulk'))
    send('default', { key: 'quiet' })
    send('interactive', { key: 'night', class: 'interactive' })
    running[0]?.lease?.release()
    running[1]?.lease?.release()
    expect(order().slice(-2)).toEqual(['interactive', 'default'])
  })

  it.each(['interactive', 'default', 'bulk'] as const)('are lent: %s alone has every slot', (ofClass) => {
    const { send, granted } = namedLine([knownHost('a', { slots: 4 })])
    for (let number = 1; number <= 4; number += 1) send(`${number}`, { class: ofClass })
    expect(granted).toHaveLength(4)
  })

  it('bulk has what it is given', () => {
    const classes = { bulk: { share: 0.25 } }
    const { send, order } = namedLine([knownHost('a', { slots: 4 })], { classes })
    served(send, 'person', 10, 'interactive')
    const running = [1, 2, 3].map(() => served(send, 'program', 10))
    send('default', { key: 'quiet' })
    send('bulk', { key: 'night', class: 'bulk' })
    running[0]?.lease?.release()
    expect(order().at(-1)).toBe('bulk')
  })

  it('are those of one host and not of all', () => {
    const a = knownHost('a', { slots: 1, lists: ['only-a'] })
    const b = knownHost('b', { slots: 1, lists: ['only-b'] })
    const { send, order } = namedLine([a, b])
    send('interactive on b', { model: 'only-b', key: 'person', class: 'interactive' })
    const running = send('default on a', { model: 'only-a', key: 'busy', tokens: 1_000 })
    send('default', { model: 'only-a', key: 'quiet' })
    send('interactive', { model: 'only-a', key: 'busy', class: 'interactive' })
    running.lease?.release()
    expect(order().at(-1)).toBe('interactive')
  })
})

describe('bulk', () => {
  it('goes behind everybody else, even of a key that was served far more', () => {
    const { send, order } = namedLine([knownHost('a', { slots: 4 })])
    served(send, 'person', 10, 'interactive')
    const running = [1, 2, 3].map(() => served(send, 'busy', 100_000))
    send('bulk', { key: 'quiet', class: 'bulk' })
    send('default', { key: 'busy', tokens: 1_000 })
    send('interactive', { key: 'busy', class: 'interactive' })
    // Every class has its share all the while.
    running[0]?.lease?.release()
    running[1]?.lease?.release()
    expect(order().slice(-2)).toEqual(['interactive', 'default'])
  })

  it('has the slots that nobody else could use', () => {
    const a = knownHost('a', { slots: 1, lists: ['only-a'] })
    const b = knownHost('b', { slots: 1, lists: ['only-b'] })
    const { send, order } = namedLine([a, b])
    const onA = send('on a', { model: 'only-a' })
    send('on b', { model: 'only-b' })
    send('bulk', { model: 'only-a', class: 'bulk' })
    send('interactive', { model: 'only-b', class: 'interactive' })
    onA.lease?.release()
    expect(order().at(-1)).toBe('bulk')
  })
})

describe('promotion', () => {
  const patient = { waitMsMax: 3_600_000, classes: { bulk: { waitMsMax: 3_600_000 } } }

  it('bulk that waited its time goes by counter with default requests', async () => {
    const clock = new FakeClock()
    const { send, order } = namedLine(oneSlot(), { clock, ...patient })
    const running = served(send, 'busy', 1_000)
    send('bulk', { key: 'quiet', class: 'bulk' })
    const first = send('default 1', { key: 'busy', tokens: 1_000 })
    send('default 2', { key: 'busy' })
    await clock.advance(119_999)
    running.lease?.release()
    expect(order().at(-1)).toBe('default 1')
    await clock.advance(1)
    first.lease?.release()
    expect(order().at(-1)).toBe('bulk')
  })

  it('is one step, so that bulk never goes before what people wait for', async () => {
    const clock = new FakeClock()
    const { ask, dispatcher } = namedLine(oneSlot(), { clock, ...patient })
    ask()
    ask('m', { class: 'bulk' })
    const classes = () => [...dispatcher.waiting()].map((waiter) => waiter.class)
    await clock.advance(119_999)
    expect(classes()).toEqual(['bulk'])
    await clock.advance(1)
    expect(classes()).toEqual(['default'])
    await clock.advance(600_000)
    expect(classes()).toEqual(['default'])
  })

  it('a default request is not starved by a steady stream of interactive ones of its own key', async () => {
    const clock = new FakeClock()
    const classes = { ...patient.classes, interactive: { share: 0 }, default: { share: 0 } }
    const { send, order, granted } = namedLine(oneSlot(), { clock, ...patient, classes })
    send('running', { class: 'interactive' })
    send('default')
    send('interactive 1', { class: 'interactive' })
    for (let turn = 0; turn < 3; turn += 1) {
      await clock.advance(10_000)
      send(`interactive ${turn + 2}`, { class: 'interactive' })
      granted.at(-1)?.lease?.release()
    }
    expect(order()).toEqual(['running', 'interactive 1', 'interactive 2', 'default'])
  })

  it('comes when the operator says', async () => {
    const clock = new FakeClock()
    const classes = { bulk: { promoteAfterMs: 5 } }
    const { ask, dispatcher } = namedLine(oneSlot(), { clock, classes })
    ask()
    ask('m', { class: 'bulk' })
    await clock.advance(5)
    expect([...dispatcher.waiting()].map((waiter) => waiter.class)).toEqual(['default'])
  })

  it('leaves no timer behind when it has a slot, or leaves', async () => {
    const clock = new FakeClock()
    const { ask } = namedLine(oneSlot(), { clock })
    const running = ask()
    ask('m', { class: 'bulk' })
    const leaving = ask('m', { class: 'bulk' })
    leaving.turn.leave()
    running.lease?.release()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('bounds of a class', () => {
  it('lengthMax of its waiters wait and one more is refused, while others still may', () => {
    const { ask, rejections } = namedLine(oneSlot(), { classes: { bulk: { lengthMax: 2 } } })
    ask()
    const bulk = [1, 2, 3].map(() => ask('m', { class: 'bulk' }))
    expect(bulk.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'queue_full'])
    expect(rejections).toEqual(['full'])
    expect(ask('m', { class: 'default' }).error).toBeNull()
    expect(ask('m', { class: 'interactive' }).error).toBeNull()
    bulk[0]?.turn.leave()
    expect(ask('m', { class: 'bulk' }).error).toBeNull()
  })

  it('a promoted waiter still counts for the class it came with', async () => {
    const clock = new FakeClock()
    const classes = { bulk: { lengthMax: 1, promoteAfterMs: 5 }, default: { lengthMax: 1 } }
    const { ask } = namedLine(oneSlot(), { clock, classes })
    ask()
    ask('m', { class: 'bulk' })
    await clock.advance(5)
    expect(ask('m', { class: 'default' }).error).toBeNull()
    expect(ask('m', { class: 'bulk' }).error?.code).toBe('queue_full')
  })

  it.each([
    ['interactive', 1_000],
    ['default', 2_000],
    ['bulk', 3_000],
  ] as const)('patience of %s ends after its own %d ms', async (ofClass, waitMsMax) => {
    const clock = new FakeClock()
    const own = { interactive: { waitMsMax: 1_000 }, default: { waitMsMax: 2_000 }, bulk: { waitMsMax: 3_000 } }
    const { ask } = namedLine(oneSlot(), { clock, classes: own })
    ask()
    const waiting = ask('m', { class: ofClass })
    await clock.advance(waitMsMax - 1)
    expect(waiting.error).toBeNull()
    await clock.advance(1)
    expect(waiting.error?.code).toBe('queue_timeout')
  })

  it('without its own, patience is that of the line', async () => {
    const clock = new FakeClock()
    const { ask } = namedLine(oneSlot(), { clock, waitMsMax: 5_000 })
    ask()
    const waiting = [ask('m', { class: 'interactive' }), ask('m', { class: 'default' }), ask('m', { class: 'bulk' })]
    await clock.advance(5_000)
    expect(waiting.map(({ error }) => error?.code)).toEqual(['queue_timeout', 'queue_timeout', undefined])
    await clock.advance(595_000)
    expect(waiting[2]?.error?.code).toBe('queue_timeout')
  })
})
