/** Shares where there are few slots: a part of one slot is a part of its time. */
import { describe, expect, it } from 'vitest'
import type { RequestClass } from '../../../src/base/request-class.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

const answerMs = 1_000
const tokens = { input: 100, output: 100 }

/** Keys that each have two requests more than there are slots, all the time; how many answers each had after so many. */
async function answersOf(keys: Readonly<Record<string, RequestClass>>, slots: number, answers: number) {
  const clock = new FakeClock()
  const { ask, granted } = line([knownHost('a', { slots })], { clock, waitMsMax: 3_600_000 })
  const keyOf = new Map<Asker, string>()
  const send = (key: string): void => {
    keyOf.set(ask('m', { key, class: keys[key] ?? 'default', tokens }), key)
  }
  for (const key of Object.keys(keys)) for (let number = 1; number <= slots + 2; number++) send(key)
  const had = new Map<string, number>()
  for (let ended = 0; ended < answers; ended++) {
    // Slots end in turn, evenly spread.
    await clock.advance(answerMs / slots)
    const asker = granted[ended]
    if (asker === undefined) throw new Error('a slot was left idle')
    const key = keyOf.get(asker) ?? ''
    had.set(key, (had.get(key) ?? 0) + 1)
    asker.lease?.bill.generated(100)
    asker.lease?.release()
    send(key)
  }
  return had
}

describe('keys that never stop', () => {
  it.each([1, 2])('of two classes have about half each: %d slots', async (slots) => {
    const had = await answersOf({ person: 'interactive', program: 'default' }, slots, 100)
    expect(had.get('program')).toBeGreaterThanOrEqual(40)
    expect(had.get('program')).toBeLessThanOrEqual(60)
  })

  it.each([1, 2])('of one class leave a single one of another no more than its share: %d slots', async (slots) => {
    const people = {
      p1: 'interactive',
      p2: 'interactive',
      p3: 'interactive',
      p4: 'interactive',
      p5: 'interactive',
    } as const
    const had = await answersOf({ ...people, program: 'default' }, slots, 200)
    expect(had.get('program')).toBeGreaterThanOrEqual(30)
    expect(had.get('program')).toBeLessThanOrEqual(60)
  })
})

describe('a slot that only its host still works on', () => {
  it.each([
    { abandoned: true, next: 'default' },
    { abandoned: false, next: 'interactive' },
  ])('counts for no class: abandoned $abandoned', ({ abandoned, next }) => {
    const { ask, granted } = line([knownHost('a', { slots: 4 })])
    const given = ask('m', { key: 'busy', tokens })
    const running = [1, 2, 3].map(() => ask('m', { key: 'person', class: 'interactive' }))
    const waiting = [ask('m', { key: 'busy' }), ask('m', { key: 'other', class: 'interactive' })]
    if (abandoned) given.lease?.abandon()
    running[0]?.lease?.release()
    expect(waiting.findIndex((asker) => asker === granted.at(-1))).toBe(next === 'default' ? 0 : 1)
  })
})
