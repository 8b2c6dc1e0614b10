/** A request that its key's limits will admit inside its patience waits in the key's own line. */
import { describe, expect, it } from 'vitest'
import type { Limits } from '../../../src/access/limits.ts'
import { keyOf } from './limiter-parts.ts'
import { ownLinesOf } from './own-line-parts.ts'

/** One a second, after 15 at once. */
const perMinute: Limits = { requestsPerMinute: 60 }
const key = keyOf(perMinute)

function usedUp(settings: Parameters<typeof ownLinesOf>[0] = {}, subject = key) {
  const scene = ownLinesOf(settings)
  const first = Array.from({ length: 15 }, () => scene.enter(subject, 1))
  expect(first.map(({ waitedMs }) => waitedMs)).toEqual(Array.from({ length: 15 }, () => 0))
  return { ...scene, first }
}

describe('a short deficit', () => {
  it('is waited for to the millisecond', () => {
    const { clock, enter } = usedUp()
    const waiting = enter(key, 1)
    clock.advanceSync(999)
    expect(waiting).toMatchObject({ reservation: null, error: null })
    clock.advanceSync(1)
    expect(waiting).toMatchObject({ waitedMs: 1_000, error: null })
    expect(waiting.reservation).not.toBeNull()
    expect(clock.pendingTimers).toBe(0)
  })

  it('of many is waited for one after the other, each for its own time', () => {
    const { clock, enter } = usedUp()
    const waiting = Array.from({ length: 20 }, () => enter(key, 1))
    clock.advanceSync(30_000)
    expect(waiting.map(({ waitedMs }) => waitedMs)).toEqual(waiting.map((_, i) => (i + 1) * 1_000))
  })

  it('of a day is waited for where its end is near', () => {
    const wallMs = Date.UTC(2026, 0, 15, 23, 59, 50)
    const daily = keyOf({ requestsPerDay: 1 })
    const { clock, enter } = ownLinesOf({ wallMs })
    enter(daily, 1)
    const waiting = enter(daily, 1)
    clock.advanceSync(10_000)
    expect(waiting).toMatchObject({ waitedMs: 10_000, error: null })
    expect(enter(daily, 1).error?.code).toBe('quota_exceeded')
  })

  it('of a client without a key is its address’s own', () => {
    const address = { keyId: null, address: '192.0.2.1' } as const
    const { clock, enter } = usedUp({ limits: { default: perMinute } }, { ...address })
    const waiting = enter(address, 1)
    expect(enter({ keyId: null, address: '192.0.2.2' }, 1).waitedMs).toBe(0)
    clock.advanceSync(1_000)
    expect(waiting.waitedMs).toBe(1_000)
  })

  it('of one key keeps no other waiting', () => {
    const { enter } = usedUp()
    for (let i = 0; i < 10; i++) enter(key, 1)
    expect(enter(keyOf(perMinute, null, 'BBBBBBBB'), 1).waitedMs).toBe(0)
  })
})

describe('the order of those that wait', () => {
  const tokens = keyOf({ tokensPerMinute: 6_000 })

  it('is that of arrival: small ones do not pass a large one that came first', () => {
    const { clock, enter, admitted } = ownLinesOf()
    enter(tokens, 2_250, { name: 'before' })
    const large = enter(tokens, 2_000, { name: 'large' })
    for (const name of ['small 1', 'small 2', 'small 3']) enter(tokens, 10, { name })
    // 100 tokens a second.
    clock.advanceSync(19_999)
    expect(admitted).toEqual(['before'])
    clock.advanceSync(1)
    expect(large.waitedMs).toBe(20_000)
    clock.advanceSync(40_000)
    expect(admitted).toEqual(['before', 'large', 'small 1', 'small 2', 'small 3'])
  })

  it('is that of their classes first, also where one comes later', () => {
    const { clock, enter, admitted } = usedUp()
    for (const name of ['bulk', 'default', 'interactive'] as const) enter(key, 1, { name, class: name })
    enter(key, 1, { name: 'default 2' })
    clock.advanceSync(10_000)
    expect(admitted.slice(15)).toEqual(['interactive', 'default', 'default 2', 'bulk'])
  })

  it('lets a more urgent one through at once that fits beside what waits', () => {
    const { enter } = ownLinesOf()
    const both = keyOf({ tokensPerMinute: 6_000 })
    enter(both, 1_000)
    expect(enter(both, 2_000, { class: 'bulk' }).waitedMs).toBeNull()
    expect(enter(both, 100, { class: 'bulk' }).waitedMs).toBeNull()
    expect(enter(both, 100, { class: 'interactive' }).waitedMs).toBe(0)
  })
})

describe('one that leaves', () => {
  it('is followed by the next, and leaves nothing behind', () => {
    const { clock, enter } = usedUp()
    const [first, second] = [enter(key, 1), enter(key, 1)]
    clock.advanceSync(500)
    first.leave()
    clock.advanceSync(500)
    expect(first).toMatchObject({ waitedMs: null })
    expect(second.waitedMs).toBe(1_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('is followed in the next turn only, so that of many that are ended together none is admitted on the way', () => {
    const { clock, enter } = ownLinesOf()
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    enter(tokens, 1_000)
    const waiting = [enter(tokens, 2_000), enter(tokens, 10), enter(tokens, 10)]
    for (const one of waiting) one.leave()
    clock.advanceSync(60_000)
    expect(waiting.map(({ waitedMs }) => waitedMs)).toEqual([null, null, null])
    expect(clock.pendingTimers).toBe(0)
  })

  it('makes room for those that it kept waiting at once', () => {
    const { clock, enter } = ownLinesOf()
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    enter(tokens, 1_000)
    const [large, small] = [enter(tokens, 2_200), enter(tokens, 500)]
    clock.advanceSync(1_000)
    large.leave()
    clock.advanceSync(0)
    expect(small).toMatchObject({ waitedMs: 1_000, error: null })
  })

  it('takes nothing from those that come later', () => {
    const { clock, enter } = ownLinesOf()
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    enter(tokens, 2_250)
    const stays = enter(tokens, 1_000)
    for (let nth = 0; nth < 10; nth++) enter(tokens, 1_000).leave()
    const next = enter(tokens, 1_000, { patienceMs: 20_000 })
    expect(next.error).toBeNull()
    clock.advanceSync(20_000)
    expect([stays.waitedMs, next.waitedMs]).toEqual([10_000, 20_000])
  })

  it('after it was admitted changes nothing', () => {
    const { clock, enter } = usedUp()
    const waiting = enter(key, 1)
    clock.advanceSync(1_000)
    const next = enter(key, 1)
    waiting.leave()
    clock.advanceSync(1_000)
    expect(next.waitedMs).toBe(1_000)
  })
})

describe('room that comes sooner', () => {
  it('by a request that ends without use is taken at once', () => {
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    const { clock, enter, settle } = ownLinesOf()
    const running = enter(tokens, 2_250)
    const waiting = enter(tokens, 2_000)
    clock.advanceSync(3_000)
    settle(running, tokens)
    clock.advanceSync(0)
    expect(waiting.waitedMs).toBe(3_000)
  })

  it('is taken at once also by one that came first while its line was about to be looked at', () => {
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    const { clock, enter, settle, lines } = ownLinesOf()
    const running = enter(tokens, 2_250)
    enter(tokens, 2_000, { class: 'bulk' })
    lines.lookAgain('AAAAAAAA')
    const waiting = enter(tokens, 1_000, { class: 'interactive' })
    clock.advanceSync(3_000)
    settle(running, tokens)
    clock.advanceSync(0)
    expect(waiting.waitedMs).toBe(3_000)
  })

  it('in part is waited for to the millisecond', () => {
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    const { clock, enter, settle } = ownLinesOf()
    enter(tokens, 1_250)
    const running = enter(tokens, 1_000)
    const waiting = enter(tokens, 2_000)
    clock.advanceSync(3_000)
    settle(running, tokens)
    clock.advanceSync(7_000)
    expect(waiting.waitedMs).toBe(10_000)
  })

  it('by a limit that is raised, or removed, is taken at once', () => {
    for (const raised of [{ requestsPerMinute: 6_000 }, {}]) {
      let limits: Limits = { requestsPerMinute: 1 }
      const { clock, enter, lines } = ownLinesOf()
      const subject = () => keyOf(limits)
      enter(subject, 1)
      const waiting = [enter(subject, 1), enter(subject, 1)]
      clock.advanceSync(10_000)
      limits = raised
      lines.lookAgain('AAAAAAAA')
      clock.advanceSync(0)
      expect(waiting[0]).toMatchObject({ waitedMs: 10_000, error: null })
    }
  })

  it('less, by a limit that is lowered, is noticed when it was to be admitted', () => {
    let limits: Limits = { requestsPerMinute: 10 }
    const { clock, enter, lines } = ownLinesOf()
    const subject = () => keyOf(limits)
    for (let i = 0; i < 10; i++) enter(subject, 1)
    const waiting = enter(subject, 1, { patienceMs: 30_000 })
    limits = { requestsPerMinute: 1 }
    lines.lookAgain('AAAAAAAA')
    clock.advanceSync(6_000)
    expect(waiting).toMatchObject({ waitedMs: 6_000, error: { code: 'rate_limit_exceeded', retryAfterMs: 54_000 } })
  })
})

describe('what one that waits is told', () => {
  const tokens = keyOf({ tokensPerMinute: 6_000 })

  it('is how many go first and the time until it fits, as it is then', () => {
    const { clock, enter } = ownLinesOf()
    enter(tokens, 2_250)
    // 100 tokens a second.
    const [large, small] = [enter(tokens, 2_000), enter(tokens, 800)]
    expect(large.estimate()).toEqual({ ahead: 0, waitMs: 20_000 })
    expect(small.estimate()).toEqual({ ahead: 1, waitMs: 28_000 })
    clock.advanceSync(7_500)
    expect(large.estimate()).toEqual({ ahead: 0, waitMs: 12_500 })
    expect(small.estimate()).toEqual({ ahead: 1, waitMs: 20_500 })
    clock.advanceSync(12_500)
    expect(large.estimate()).toBeNull()
    expect(small.estimate()).toEqual({ ahead: 0, waitMs: 8_000 })
    clock.advanceSync(8_000)
    expect([small.estimate(), small.waitedMs]).toEqual([null, 28_000])
  })

  it('counts those of its class that came before it and those more urgent, and none that come after', () => {
    const { enter } = usedUp()
    const [bulk, ordinary] = [enter(key, 1, { class: 'bulk' }), enter(key, 1)]
    enter(key, 1, { class: 'bulk' })
    enter(key, 1)
    enter(key, 1, { class: 'interactive' })
    expect(ordinary.estimate()).toEqual({ ahead: 1, waitMs: 2_000 })
    expect(bulk.estimate()).toEqual({ ahead: 3, waitMs: 4_000 })
  })

  it('is nothing where it was admitted at once, was refused, or has left', () => {
    const { enter } = usedUp({ lengthMax: 1 })
    const waiting = enter(key, 1)
    waiting.leave()
    const [next, refused] = [enter(key, 1), enter(key, 1)]
    expect(next.estimate()).not.toBeNull()
    expect([waiting.estimate(), refused.estimate()]).toEqual([null, null])
    expect(enter(keyOf(perMinute, null, 'BBBBBBBB'), 1).estimate()).toBeNull()
  })
})

describe('of what waits in all', () => {
  it('each that comes, leaves, is admitted or refused is counted, in all and for its holder', () => {
    const { clock, enter, lines } = usedUp()
    const other = keyOf({ requestsPerMinute: 1 }, null, 'BBBBBBBB')
    enter(other, 1)
    const leaves = enter(key, 7)
    enter(key, 5)
    enter(other, 3, { class: 'bulk' })
    expect(lines.waiting).toEqual({ requests: 3, tokens: 15 })
    expect([...lines.lengths()]).toEqual([
      ['AAAAAAAA', 2],
      ['BBBBBBBB', 1],
    ])
    leaves.leave()
    leaves.leave()
    expect(lines.waiting).toEqual({ requests: 2, tokens: 8 })
    clock.advanceSync(1_000)
    expect(lines.waiting).toEqual({ requests: 1, tokens: 3 })
    expect([...lines.lengths()]).toEqual([['BBBBBBBB', 1]])
    clock.advanceSync(60_000)
    expect(lines.waiting).toEqual({ requests: 0, tokens: 0 })
    expect([...lines.lengths()]).toEqual([])
  })
})
