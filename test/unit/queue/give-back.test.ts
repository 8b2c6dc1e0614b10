/** Who is asked for a slot back, and that the slot goes to the one who waited, in whichever order the other asks again. */
import { describe, expect, it } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, type LineOptions, line } from './line.ts'

/** A line in which bulk requests tell that they were asked, and say yes or no. */
function scene(hosts: readonly Host[], options: LineOptions = {}) {
  const before = line(hosts, options)
  const { ask } = before
  const asked: string[] = []
  const bulk = (name: string, { says = true, model = 'm' } = {}): Asker => {
    const giveBack = (): boolean => {
      asked.push(name)
      return says
    }
    return ask(model, { class: 'bulk', key: 'night', giveBack })
  }
  const person = (model = 'm'): Asker => ask(model, { class: 'interactive', key: 'person' })
  return { ...before, asked, bulk, person }
}

describe('who is asked', () => {
  it('the bulk attempt that was granted last, since the least is lost with it, and then the one before', async () => {
    const clock = new FakeClock()
    const { bulk, person, asked, gaveBack } = scene([knownHost('a', { slots: 3 })], { clock })
    for (const name of ['first', 'second', 'third']) {
      bulk(name, { says: name !== 'third' })
      await clock.advance(1)
    }
    person()
    expect(asked).toEqual(['third', 'second'])
    expect(gaveBack()).toBe(1)
  })

  it('nobody while a slot is free', () => {
    const { bulk, person, asked } = scene([knownHost('a', { slots: 2 })])
    bulk('work')
    expect(person().lease).not.toBeNull()
    expect(asked).toEqual([])
  })

  it('each attempt only once, so that two who wait get two slots', async () => {
    const clock = new FakeClock()
    const { bulk, person, asked, gaveBack } = scene([knownHost('a', { slots: 2 })], { clock })
    bulk('older')
    await clock.advance(1)
    bulk('newer')
    person()
    person()
    person()
    expect(asked).toEqual(['newer', 'older'])
    expect(gaveBack()).toBe(2)
  })

  it('only on hosts that the one who waits could use', () => {
    const a = knownHost('a', { slots: 1, lists: ['only-a'] })
    const b = knownHost('b', { slots: 1, lists: ['only-b'] })
    const { bulk, person, asked } = scene([a, b])
    bulk('on a', { model: 'only-a' })
    bulk('on b', { model: 'only-b' })
    person('only-a')
    expect(asked).toEqual(['on a'])
  })

  it.each(['default', 'bulk'] as const)('nobody for a %s request', (ofClass) => {
    const { bulk, ask, asked } = scene([knownHost('a', { slots: 1 })])
    bulk('work')
    expect(ask('m', { class: ofClass, key: 'other' }).lease).toBeNull()
    expect(asked).toEqual([])
  })

  it.each(['default', 'interactive'] as const)('no %s request, whatever it says', (ofClass) => {
    const { ask, person, gaveBack } = scene([knownHost('a', { slots: 1 })])
    ask('m', { class: ofClass, giveBack: () => true })
    person()
    expect(gaveBack()).toBe(0)
  })

  it('none whose slot nobody would be given: of a paused line, a paused host, a busy host, one with too many already', () => {
    const paused = scene([knownHost('a', { slots: 1 })])
    paused.bulk('work')
    paused.dispatcher.pause()
    paused.person()
    expect(paused.asked).toEqual([])

    const hostPaused = knownHost('a', { slots: 1 })
    const beforePaused = scene([hostPaused])
    beforePaused.bulk('work')
    hostPaused.pause()
    beforePaused.person()
    expect(beforePaused.asked).toEqual([])

    const busy = knownHost('a', { slots: 2 })
    const beforeBusy = scene([busy])
    beforeBusy.bulk('work')
    beforeBusy.bulk('more')
    busy.health.attemptEnded({ kind: 'busy', retryAfterMs: 5_000 })
    beforeBusy.person()
    expect(beforeBusy.asked).toEqual([])
  })

  it('of what bulk has by its own share, only while interactive has less than its own', () => {
    const shares = { classes: { interactive: { share: 0.5 }, bulk: { share: 0.5 } } }
    const { bulk, person, asked } = scene([knownHost('a', { slots: 2 })], shares)
    bulk('within its share')
    person()
    person()
    expect(asked).toEqual([])

    const lent = scene([knownHost('a', { slots: 2 })], shares)
    lent.bulk('within its share')
    lent.bulk('on a slot that was lent')
    lent.person()
    expect(lent.asked).toHaveLength(1)
    lent.person()
    expect(lent.asked).toHaveLength(1)
  })

  it('not for a newcomer that may not wait', () => {
    const { bulk, person, asked } = scene([knownHost('a', { slots: 1 })], { lengthMax: 1 })
    bulk('work', { says: false })
    person()
    asked.length = 0
    expect(person().error?.code).toBe('queue_full')
    expect(asked).toEqual([])
  })
})

describe('the slot', () => {
  /** A bulk request that gives back at once or later, asks again before or after, and runs to its end when it has a slot again. */
  function giving({ atOnce, asksFirst }: { readonly atOnce: boolean; readonly asksFirst: boolean }) {
    const { ask, granted, dispatcher } = line([knownHost('a', { slots: 1 })])
    let again: Asker | null = null
    const askAgain = (): void => {
      again = ask('m', { class: 'bulk', key: 'night', place: 'given_back' })
    }
    const giveUp = (): void => {
      if (asksFirst) askAgain()
      work.lease?.release()
      if (!asksFirst) askAgain()
    }
    const giveBack = (): boolean => {
      if (atOnce) giveUp()
      return true
    }
    const work = ask('m', { class: 'bulk', key: 'night', giveBack })
    const behind = ask('m', { class: 'bulk', key: 'night' })
    const person = ask('m', { class: 'interactive', key: 'person' })
    if (!atOnce) giveUp()
    return { granted, dispatcher, work, behind, person, again: again as Asker | null }
  }

  it.each([
    { atOnce: true, asksFirst: true },
    { atOnce: true, asksFirst: false },
    { atOnce: false, asksFirst: true },
    { atOnce: false, asksFirst: false },
  ])('goes to the one who waited, and then back before others of its key: %o', (how) => {
    const { granted, dispatcher, work, behind, person, again } = giving(how)
    expect(granted).toEqual([work, person])
    person.lease?.release()
    again?.lease?.release()
    expect(granted).toEqual([work, person, again, behind])
    behind.lease?.release()
    expect(dispatcher.length).toBe(0)
  })

  it('is its own again when the one who waited has left', () => {
    const { ask } = line([knownHost('a', { slots: 1 })])
    const work = ask('m', { class: 'bulk', giveBack: () => true })
    const person = ask('m', { class: 'interactive', key: 'person' })
    const again = ask('m', { class: 'bulk', place: 'given_back' })
    person.turn.leave()
    work.lease?.release()
    expect(again.lease).not.toBeNull()
    expect(person.lease).toBeNull()
  })

  it.each([
    ['a slot that was given back tells nothing of how long work takes', true],
    ['one that was held to the end does', false],
  ])('%s', async (_, gives) => {
    const clock = new FakeClock()
    const { ask } = line([knownHost('a', { slots: 1 })], { clock })
    const tokens = { input: 100, output: 100 }
    const work = ask('m', {
      class: 'bulk',
      tokens,
      giveBack: () => {
        work.lease?.release()
        return true
      },
    })
    work.lease?.bill.correct({ input: 100, cachedInput: 0, output: 100 })
    await clock.advance(10_000)
    if (gives) ask('m', { class: 'interactive', key: 'person', tokens })
    else {
      work.lease?.succeeded()
      work.lease?.release()
      ask('m', { class: 'interactive', key: 'person', tokens })
    }
    const waiting = ask('m', { key: 'program', tokens })
    expect(waiting.turn.estimate()?.p50Ms === null).toBe(gives)
  })

  it('of those who gave theirs back the one that was granted first has the next again', async () => {
    const clock = new FakeClock()
    const { ask, granted } = line([knownHost('a', { slots: 2 })], { clock })
    const given: Asker[] = []
    const work = (): Asker => {
      const asker = ask('m', {
        class: 'bulk',
        key: 'night',
        giveBack: () => {
          given.push(ask('m', { class: 'bulk', key: 'night', place: 'given_back' }))
          asker.lease?.release()
          return true
        },
      })
      return asker
    }
    work()
    await clock.advance(1)
    work()
    const people = [1, 2].map(() => ask('m', { class: 'interactive', key: 'person' }))
    const [ofNewer, ofOlder] = given
    for (const person of people) person.lease?.release()
    expect(granted.slice(2)).toEqual([...people, ofOlder, ofNewer])
  })
})
