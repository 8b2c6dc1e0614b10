/** The double's slots and pacing, by the fake clock alone. */
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import type { EngineState } from '../../kit/lmx-double/generation.ts'
import { Generation } from '../../kit/lmx-double/generation.ts'
import type { CostModel } from '../../kit/lmx-double/options.ts'
import { instantCost } from '../../kit/lmx-double/options.ts'
import { SlotGate } from '../../kit/lmx-double/slots.ts'

function gateOf(effective: number, waitMs = 1_000) {
  const clock = new FakeClock()
  const gate = new SlotGate({ advertised: 4, effective, waitMs, clock })
  const log: string[] = []
  const enter = (name: string, bypass = false) =>
    gate.enter(bypass, { granted: () => log.push(`${name} runs`), timedOut: () => log.push(`${name} gives up`) })
  return { clock, gate, log, enter }
}

describe('slot gate', () => {
  test('grants in the order of coming, and skips who left', () => {
    const { gate, log, enter } = gateOf(1)
    const first = enter('first')
    const second = enter('second')
    enter('third')
    second.release()
    second.release()
    expect(gate.waiting).toBe(1)
    first.release()
    first.release()
    expect(log).toEqual(['first runs', 'third runs'])
    expect([gate.running, gate.waiting, gate.runningMax]).toEqual([1, 0, 1])
  })

  test('a waiter gives up once, and its place is gone', () => {
    const { clock, gate, log, enter } = gateOf(1, 1_000)
    const first = enter('first')
    const second = enter('second')
    clock.advanceSync(1_000)
    second.release()
    first.release()
    expect(log).toEqual(['first runs', 'second gives up'])
    expect([gate.running, gate.waiting, clock.pendingTimers]).toEqual([0, 0, 0])
  })

  test('a lower limit waits for an idle moment', () => {
    const { gate, log, enter } = gateOf(2)
    const first = enter('first')
    const second = enter('second')
    gate.setEffective(1)
    first.release()
    const third = enter('third')
    expect(log).toEqual(['first runs', 'second runs', 'third runs'])
    second.release()
    third.release()
    enter('fourth')
    enter('fifth')
    expect(log.slice(3)).toEqual(['fourth runs'])
    expect([gate.effective, gate.advertised]).toEqual([1, 4])
  })

  test('priority takes no slot, yet counts as in flight and keeps the limit from changing', () => {
    const { gate, log, enter } = gateOf(1)
    const high = enter('high', true)
    enter('normal').release()
    gate.setEffective(2)
    enter('next')
    enter('last')
    expect(log).toEqual(['high runs', 'normal runs', 'next runs'])
    expect([gate.running, gate.waiting, gate.runningMax]).toEqual([2, 1, 2])
    high.release()
    expect(gate.effective).toBe(1)
  })

  test('ten thousand waiters that are done at once do not grow the stack', () => {
    const { gate } = gateOf(1)
    const first = gate.enter(false, { granted: () => {}, timedOut: () => {} })
    let served = 0
    for (let i = 0; i < 10_000; i += 1) {
      const ticket = gate.enter(false, {
        granted: () => {
          served += 1
          ticket.release()
        },
        timedOut: () => {},
      })
    }
    first.release()
    expect(served).toBe(10_000)
  })
})

function engineOf(cost: Partial<CostModel>, clock: Clock = new FakeClock(0)) {
  const gate = new SlotGate({ advertised: 8, effective: 8, waitMs: 1_000, clock })
  const state: EngineState = {
    clock,
    gate,
    cost: { ...instantCost, ...cost },
    inferenceTimeoutMs: 100_000,
    random: () => 0.5,
    decoding: 0,
    readsUntilMs: 0,
  }
  const generate = (tokens: number, promptTokens = 0) => {
    const times: number[] = []
    const generation = new Generation(state, {
      chunks: Array.from({ length: tokens }, (_, i) => `w${i} `),
      promptTokens,
      bypass: false,
      plan: {},
      begin: () => null,
      sink: { full: false, onWritable: () => {}, chunk: () => times.push(clock.now()) },
    })
    return { times, generation }
  }
  return { state, generate }
}

describe('cost model', () => {
  test('the first token comes after the fixed part and the prefill', () => {
    const clock = new FakeClock(0)
    const { generate } = engineOf({ ttftMs: 100, prefillTokensPerSecond: 200, decodeTokensPerSecond: 50 }, clock)
    const { times } = generate(3, 40)
    clock.advanceSync(1_000)
    expect(times).toEqual([300, 320, 340])
  })

  test('a stream among n takes t1 · (1 + β(n−1)) a step', () => {
    const clock = new FakeClock(0)
    const { generate, state } = engineOf({ decodeTokensPerSecond: 100, batchSlowdown: 0.5 }, clock)
    const streams = [generate(3), generate(3), generate(3)]
    expect(state.decoding).toBe(3)
    clock.advanceSync(100)
    // The first step of each was priced by who was there when it began.
    expect(streams.map(({ times }) => times)).toEqual([
      [0, 10, 30],
      [0, 15, 35],
      [0, 20, 40],
    ])
    expect([state.decoding, state.gate.running]).toEqual([0, 0])
  })

  test('several tokens per chunk take their time together', () => {
    const clock = new FakeClock(0)
    const { generate } = engineOf({ decodeTokensPerSecond: 100, tokensPerChunk: 4 }, clock)
    const { times } = generate(8)
    clock.advanceSync(100)
    expect(times).toEqual([0, 40])
  })

  test('a late timer does not slow the stream, and a long pause makes no burst', () => {
    let nowMs = 0
    let waiting = { delayMs: 0, callback: () => {} }
    const clock: Clock = {
      now: () => nowMs,
      wallMs: () => nowMs,
      after(delayMs, callback) {
        if (delayMs < 1_000) waiting = { delayMs, callback }
        return { cancel: () => {} }
      },
      afterTurn: (callback) => clock.after(0, callback),
    }
    const { times } = engineOf({ decodeTokensPerSecond: 100 }, clock).generate(100)
    const fireAt = (ms: number) => {
      nowMs = ms
      waiting.callback()
    }
    fireAt(25)
    expect(times).toEqual([0, 25, 25])
    expect(waiting.delayMs).toBe(5)
    fireAt(10_000)
    expect(times).toHaveLength(5)
    expect(waiting.delayMs).toBe(10)
  })

  test('nothing is left behind by an answer that was cancelled', async () => {
    const clock = new FakeClock(0)
    const { state, generate } = engineOf({ decodeTokensPerSecond: 10 }, clock)
    const { generation, times } = generate(100)
    clock.advanceSync(250)
    generation.cancel()
    clock.advanceSync(1_000)
    expect(times).toHaveLength(3)
    expect(await generation.done).toEqual({ kind: 'cancelled' })
    expect([clock.pendingTimers, state.decoding, state.gate.running]).toEqual([0, 0, 0])
  })
})
