/** What a wait is reckoned from: what is old, odd or padded must not be believed for long, nor keep anybody out for ever. */
import { describe, expect, it } from 'vitest'
import { HoldTimes } from '../../../src/queue/hold-times.ts'
import { WaitRatios } from '../../../src/queue/wait-ratios.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

const tokens = { input: 100, output: 100 }

/** A line before one slot, of which whole answers have taught how long they take. */
async function taught(holdMs: number) {
  const clock = new FakeClock()
  const before = line([knownHost('a', { slots: 1 })], { clock, waitMsMax: 60_000 })
  /** Holds the slot and gives it back: `whole` answers teach, others do not. */
  const hold = async (forMs: number, { whole = true, times = 1, size = tokens } = {}): Promise<void> => {
    for (let time = 1; time <= times; time++) {
      const asker = before.ask('m', { tokens: size, ...(whole ? {} : { giveBack: () => false }) })
      await clock.advance(forMs)
      asker.lease?.bill.correct({ input: size.input, cachedInput: 0, output: whole ? size.output : 0 })
      asker.lease?.release()
    }
  }
  await hold(holdMs, { times: 5 })
  const p50Ms = (asker: Asker): number => asker.turn.estimate()?.p50Ms ?? Number.NaN
  return { ...before, clock, hold, p50Ms }
}

describe('how much longer waits were than was reckoned', () => {
  const kind = { flow: 'alice', model: 'm', class: 'default', position: 2 } as const

  it('is forgotten after a quarter of an hour', () => {
    const ratios = new WaitRatios()
    const usual = ratios.of(kind, 0)
    for (let atMs = 1; atMs <= 40; atMs++) ratios.add(kind, 50, atMs)
    expect(ratios.of(kind, 100)).toEqual({ p50: 50, p90: 50 })
    expect(ratios.of(kind, 800_000)).toEqual({ p50: 50, p90: 50 })
    expect(ratios.of(kind, 1_000_000)).toEqual(usual)
  })

  it('of one key is believed of others, at the same place in the line', () => {
    const ratios = new WaitRatios()
    for (let atMs = 1; atMs <= 40; atMs++) ratios.add(kind, 50, atMs)
    const { p50 } = ratios.of({ ...kind, position: 0 }, 100)
    expect(ratios.of({ ...kind, flow: 'bob' }, 100).p50).toBe(50)
    expect(p50).toBeLessThan(5)
  })
})

describe('who is refused for the wait that is reckoned', () => {
  it('is never the next, however long answers take', async () => {
    const { ask } = await taught(300_000)
    ask('m', { tokens })
    const next = ask('m', { tokens })
    const behind = ask('m', { tokens })
    expect(next.error).toBeNull()
    expect(behind.error?.code).toBe('queue_wait_too_long')
  })

  it('is nobody for prompts that others pad', async () => {
    const { ask } = await taught(3_000)
    const padded = { input: 1_000_000, output: 100 }
    ask('m', { key: 'padding', tokens: padded })
    ask('m', { key: 'padding', tokens: padded })
    const others = [1, 2].map(() => ask('m', { key: 'other', tokens }))
    expect(others.map(({ error }) => error?.code)).toEqual([undefined, undefined])
  })
})

describe('how long a request is expected to hold its slot', () => {
  const work = { input: 100, output: 100, together: 1 }

  it('is at most five times the mean, however large its prompt is said to be', () => {
    const times = new HoldTimes()
    for (let count = 1; count <= 10; count++) times.learn('m', work, 4_000)
    const hold = times.of('m')
    expect(hold?.expectedMs(work)).toBeCloseTo(4_000, -2)
    expect(hold?.expectedMs({ ...work, input: 10_000_000 })).toBe(20_000)
  })

  it('is not known from answers that never became whole', async () => {
    const clock = new FakeClock()
    const { ask } = line([knownHost('a', { slots: 1 })], { clock })
    const cut = ask('m', { tokens, giveBack: () => false })
    await clock.advance(30_000)
    cut.lease?.release()
    ask('m', { tokens })
    expect(ask('m', { tokens }).turn.estimate()?.p50Ms).toBeNull()
  })

  it('is not changed by clients that give up', async () => {
    const { ask, hold, p50Ms } = await taught(2_000)
    const long = { input: 2_000, output: 100 }
    await hold(30_000, { whole: false, times: 50, size: long })
    ask('m', { tokens: long })
    expect(p50Ms(ask('m', { tokens: long }))).toBeLessThan(10_000)
  })
})
