/** What does not wait for its key's limits hears it at once, and what waited in vain at the end of its patience. */
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
  expect(first.filter(({ waitedMs }) => waitedMs !== 0)).toEqual([])
  return { ...scene, first }
}

describe('at once, with the wait, is refused', () => {
  it('what fits one millisecond after its patience, and waits what fits at its end', () => {
    const { clock, enter } = usedUp()
    const refused = enter(key, 1, { patienceMs: 999 })
    expect(refused.error).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: 1_000 })
    const waiting = enter(key, 1, { patienceMs: 1_000 })
    clock.advanceSync(1_000)
    expect(waiting).toMatchObject({ waitedMs: 1_000, error: null })
  })

  it('what would have to wait behind others for longer than its patience', () => {
    const { clock, enter } = usedUp()
    const waiting = [enter(key, 1), enter(key, 1)]
    const refused = enter(key, 1, { patienceMs: 2_999 })
    expect(refused.error).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: 3_000 })
    expect(refused.error?.message).toBe(
      'The limit of key "name-AAAAAAAA" is 60 requests per minute, and 2 of its requests wait for it already. It fits in 3 s.',
    )
    const third = enter(key, 1, { patienceMs: 3_000 })
    clock.advanceSync(3_000)
    expect([...waiting, third].map(({ waitedMs }) => waitedMs)).toEqual([1_000, 2_000, 3_000])
  })

  it('what is too late behind a large one, whose tokens must be refilled first', () => {
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    const { clock, enter } = ownLinesOf()
    enter(tokens, 2_250)
    const large = enter(tokens, 2_000)
    const small = [enter(tokens, 800), enter(tokens, 800, { patienceMs: 35_999 }), enter(tokens, 800)]
    expect(small[1]!.error?.retryAfterMs).toBe(36_000)
    clock.advanceSync(36_000)
    expect([large, small[0], small[2]].map((one) => one?.waitedMs)).toEqual([20_000, 28_000, 36_000])
  })

  it('more than the bound of those that wait', () => {
    const { enter, clock } = usedUp({ lengthMax: 3 })
    const waiting = Array.from({ length: 4 }, () => enter(key, 1))
    expect(waiting.map(({ error }) => error?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      'concurrency_limit_exceeded',
    ])
    expect(waiting[3]!.error).toMatchObject({ retryAfterMs: 4_000 })
    expect(enter(keyOf(perMinute, null, 'BBBBBBBB'), 1).waitedMs).toBe(0)
    waiting[1]!.leave()
    expect(enter(key, 1).error).toBeNull()
    clock.advanceSync(1_000)
    expect(enter(key, 1).error).toBeNull()
  })

  it('what there is no room for among all that wait, whatever it is for', () => {
    const asked: number[] = []
    const hasRoom = (tokens: number): boolean => asked.push(tokens) < 2
    const { clock, enter } = usedUp({ hasRoom })
    expect(asked).toEqual([])
    const [waiting, refused] = [enter(key, 20), enter(key, 30)]
    expect(asked).toEqual([20, 30])
    expect(refused.error).toMatchObject({ code: 'queue_full', retryAfterMs: 2_000 })
    clock.advanceSync(1_000)
    expect(waiting).toMatchObject({ waitedMs: 1_000, error: null })
    expect(clock.pendingTimers).toBe(0)
  })

  it('everything where nobody shall wait, or may', () => {
    for (const settings of [{ waitMsMax: 0 }, { waitMsMax: 999 }, { mayWait: () => false }]) {
      const { enter, clock } = usedUp(settings)
      expect(enter(key, 1).error).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: 1_000 })
      expect(clock.pendingTimers).toBe(0)
    }
  })

  it('one beside as many as may be at once', () => {
    const atOnce = keyOf({ concurrentRequests: 1 })
    const { enter } = ownLinesOf()
    enter(atOnce, 1)
    expect(enter(atOnce, 1).error?.code).toBe('concurrency_limit_exceeded')
  })
})

describe('of those that wait', () => {
  it('each is one of the requests at once of its key', () => {
    const both = keyOf({ ...perMinute, concurrentRequests: 17 })
    const { clock, enter, settle, first } = usedUp({}, both)
    const waiting = Array.from({ length: 3 }, () => enter(both, 1))
    expect(waiting.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'concurrency_limit_exceeded'])
    clock.advanceSync(2_000)
    expect(waiting.map(({ waitedMs }) => waitedMs)).toEqual([1_000, 2_000, 0])
    expect(enter(both, 1).error?.code).toBe('concurrency_limit_exceeded')
    for (const one of [...first, ...waiting]) settle(one, both)
    const again = Array.from({ length: 18 }, () => enter(both, 1))
    expect(again.filter(({ error }) => error !== null)).toHaveLength(1)
    for (const one of again) one.leave()
    for (const one of again) settle(one, both)
    clock.advanceSync(60_000)
    expect(Array.from({ length: 15 }, () => enter(both, 1)).filter(({ error }) => error !== null)).toEqual([])
  })

  it('one whose limit was lowered hears the wait of then at the end of its patience', () => {
    let limits: Limits = { tokensPerMinute: 6_000 }
    const { clock, enter } = ownLinesOf()
    const subject = () => keyOf(limits)
    enter(subject, 2_250)
    const large = enter(subject, 2_000, { patienceMs: 30_000 })
    const small = enter(subject, 500, { patienceMs: 30_000 })
    clock.advanceSync(19_999)
    limits = { tokensPerMinute: 600 }
    clock.advanceSync(1)
    // Of 225 it has 200 by the share it had, and needs all of them.
    expect(large).toMatchObject({ waitedMs: 20_000, error: { code: 'rate_limit_exceeded' } })
    clock.advanceSync(10_000)
    expect(small.error).toMatchObject({ code: 'rate_limit_exceeded' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('one behind others hears at the end of its patience when it would fit behind those', () => {
    const tokens = keyOf({ tokensPerMinute: 6_000 })
    const { clock, enter } = ownLinesOf()
    const running = enter(tokens, 2_250)
    enter(tokens, 2_000)
    const behind = enter(tokens, 1_000, { patienceMs: 30_000 })
    clock.advanceSync(19_000)
    // It takes longer than was reserved, while it runs.
    running.reservation?.topUp(1_000)
    clock.advanceSync(11_000)
    expect(behind.error?.message).toMatch(/, and 1 of its requests wait for it already\. It fits in \d+ s\.$/)
    // 1,024 more are missing, at 100 tokens a second.
    expect(behind.error?.retryAfterMs).toBe(10_240)
  })
})
