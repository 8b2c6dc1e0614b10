/** How good estimates are known to have been, and what an operator's pause does to them. */
import { describe, expect, test } from 'vitest'
import { WaitAccuracy } from '../../../src/queue/wait-accuracy.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

const told = { p50Ms: 100, p90Ms: 400 }

test('without a wait nothing is known', () => {
  expect(new WaitAccuracy().get()).toEqual({ waits: 0, withinP90: null, nearP50: null })
})

test('a wait is within its p90 up to that very time, and near its p50 from half of it to twice as long', () => {
  const accuracy = new WaitAccuracy()
  for (const waitMs of [49, 50, 200, 201, 400, 401]) accuracy.add({ ...told, waitMs })
  expect(accuracy.get()).toEqual({ waits: 6, withinP90: 5 / 6, nearP50: 2 / 6 })
})

test('the last thousand count', () => {
  const accuracy = new WaitAccuracy()
  for (let nth = 0; nth < 1_500; nth += 1) accuracy.add({ ...told, waitMs: nth < 500 ? 1_000 : 100 })
  expect(accuracy.get()).toEqual({ waits: 1_000, withinP90: 1, nearP50: 1 })
})

describe('a line before one slot', () => {
  /** It is known how long the slot is held, and one request holds it. */
  async function known() {
    const host = knownHost('a', { slots: 1 })
    const world = line([host])
    const { ask: askLine, clock } = world
    const ask = () => askLine('m', { tokens: { input: 100, output: 100 } })
    for (let nth = 0; nth < 30; nth += 1) {
      const { lease } = ask()
      await clock.advance(1_000)
      lease?.release()
    }
    return { ...world, askLine, ask, host, running: ask() }
  }

  test('knows how good its own estimates were', async () => {
    const { ask, clock, dispatcher, running } = await known()
    const waiting = ask()
    const { p50Ms } = waiting.turn.estimate() ?? {}
    expect(p50Ms).toBeGreaterThan(0)
    await clock.advance(p50Ms ?? 0)
    running.lease?.release()
    expect(waiting.lease).not.toBeNull()
    expect(dispatcher.accuracy()).toEqual({ waits: 1, withinP90: 1, nearP50: 1 })
  })

  test('knows a wait that its client left for too short an estimate once nine of ten would have been over, and not before', async () => {
    const { ask, announced, clock, dispatcher } = await known()
    const before = announced.length
    const [early, late] = [ask(), ask()]
    const sinceMs = clock.now()
    const p90Ms = ({ turn }: typeof early) => turn.estimate()?.p90Ms ?? 0
    const ends = [sinceMs + p90Ms(early), sinceMs + p90Ms(late) + 1] as const
    await clock.advance(ends[0] - clock.now())
    early.turn.leave()
    expect(announced.slice(before)).toEqual([])
    await clock.advance(ends[1] - clock.now())
    late.turn.leave()
    expect(announced.slice(before)).toMatchObject([{ waitMs: ends[1] - sinceMs }])
    expect(dispatcher.accuracy()).toMatchObject({ waits: 1, withinP90: 0 })
  })

  test('takes patience that ended sooner than nine of ten would have been served for no estimate that held', async () => {
    const { askLine, clock, dispatcher } = await known()
    const tokens = { input: 100, output: 100 }
    const { turn } = askLine('m', { tokens })
    const { p50Ms, p90Ms } = turn.estimate() ?? {}
    turn.leave()
    const hurried = askLine('m', { tokens, patienceMs: ((p50Ms ?? 0) + (p90Ms ?? 0)) / 2 })
    await clock.advance(p90Ms ?? 0)
    expect(hurried.error?.code).toBe('queue_timeout')
    expect(dispatcher.accuracy().waits).toBe(0)
  })

  test('predicts nothing while it is paused, and counts nothing that the pause made longer', async () => {
    const { ask, clock, dispatcher, running } = await known()
    const before = ask()
    dispatcher.pause()
    const during = ask()
    for (const { turn } of [before, during]) expect(turn.estimate()).toMatchObject({ p50Ms: null, p90Ms: null })
    await clock.advance(10_000)
    running.lease?.release()
    expect(before.lease).toBeNull()
    dispatcher.resume()
    expect(during.turn.estimate()?.p50Ms).toBeGreaterThan(0)
    before.lease?.release()
    expect(during.lease).not.toBeNull()
    expect(dispatcher.accuracy().waits).toBe(0)
  })

  test('nothing is known of a wait for a host that is paused', async () => {
    const { ask, host } = await known()
    host.pause()
    expect(ask().turn.estimate()).toMatchObject({ p50Ms: null, p90Ms: null })
  })
})
