import { describe, expect, it } from 'vitest'
import { Meter } from '../../../src/metering/meter.ts'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
import { StreamGaps } from '../../../src/metering/stream-gaps.ts'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function metering(stream = true) {
  const clock = new FakeClock()
  const tallies = new TokenTallies()
  const phases = new PhaseTimes(clock)
  const tally = tallies.tally('m', 'h', 'k')
  const meter = (): Meter => new Meter({ clock, tally, phases, stream })
  return { clock, tallies, phases, tally, meter }
}

describe('tokens', () => {
  it('are counted live, one for each frame with content', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.content()
    one.content()
    expect(tally.output).toBe(2)
    expect(one.end()).toMatchObject({ tokens: { output: 2 }, usageSource: 'counted' })
  })

  it('are topped up to what the host reports, once, however often the end is told', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.content()
    one.report({ input: 10, cachedInput: 4, output: 7, reasoning: 3 })
    one.end()
    one.end()
    expect(tally).toMatchObject({ input: 10, cachedInput: 4, output: 7, reasoning: 3 })
  })

  it('a report below what passed is recorded; the counter does not go back', () => {
    const { meter, tally } = metering()
    const one = meter()
    for (let i = 0; i < 5; i++) one.content()
    one.report({ output: 2 })
    expect(one.end().tokens.output).toBe(2)
    expect(tally.output).toBe(5)
  })

  it('of an answer that passes before it is whole are counted by its bytes, until the host tells of them', () => {
    const { meter, tally } = metering(false)
    const left = meter()
    left.passed(4_000)
    left.passed(1)
    expect(left.counted).toBe(1_001)
    expect(left.end(7)).toMatchObject({
      tokens: { input: 7, output: 1_001 },
      sources: { input: 'estimated', output: 'counted' },
      usageSource: 'counted',
      timePerOutputTokenMs: null,
    })
    expect(tally).toMatchObject({ input: 7, output: 1_001 })
    const whole = meter()
    whole.passed(4_000)
    whole.report({ input: 3, output: 12 })
    expect(whole.end(7)).toMatchObject({ tokens: { input: 3, output: 12 }, usageSource: 'reported' })
    expect(tally).toMatchObject({ input: 10, output: 1_013 })
  })

  it('of such an answer are reserved as it passes', () => {
    const { clock, tally, phases } = metering(false)
    const asked: number[] = []
    const more = (output: number) => {
      asked.push(output)
      return output + 100
    }
    const one = new Meter({ clock, tally, phases, stream: false, cover: { output: 10, more } })
    for (const bytes of [40, 4, 396, 8]) one.passed(bytes)
    expect(asked).toEqual([11, 112])
  })

  it('of an answer that is kept back until it is whole are counted when it is sent, and not at all when it is not', () => {
    const { clock, tally, phases } = metering()
    const kept = (): Meter => new Meter({ clock, tally, phases, stream: true, live: false })
    const sent = kept()
    sent.content()
    sent.content()
    expect(tally.output).toBe(0)
    sent.report({ input: 3, output: 4 })
    expect(sent.end().tokens).toMatchObject({ input: 3, output: 4 })
    expect(tally).toMatchObject({ input: 3, output: 4 })
    const lost = kept()
    lost.content()
    lost.report({ input: 3, output: 4 })
    expect(lost.discard()).toMatchObject({ tokens: { input: 0, output: 0 }, usageSource: 'none' })
    lost.end()
    expect(tally).toMatchObject({ input: 3, output: 4 })
  })

  it('a report that content came after is a floor, so a stream that broke before its last report counts what passed', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.report({ input: 25, output: 1 })
    for (let i = 0; i < 5; i++) one.content()
    expect(one.end()).toMatchObject({ tokens: { input: 25, output: 5 }, usageSource: 'reported' })
    expect(tally).toMatchObject({ input: 25, output: 5 })
  })

  it('a report that cannot be believed leaves what was counted, and is counted itself, once', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.content()
    one.report({ rejected: true })
    one.report({ rejected: true })
    expect(one.end()).toMatchObject({ tokens: { input: 0, output: 1 }, usageSource: 'counted' })
    one.end()
    expect(tally).toMatchObject({ output: 1, usageRejected: 1 })
  })

  it('a report that cannot be believed does not stand for one that can', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.report({ input: 25, output: 1 })
    for (let i = 0; i < 5; i++) one.content()
    one.report({ rejected: true })
    expect(one.end()).toMatchObject({ tokens: { input: 25, output: 5 }, usageSource: 'reported' })
    expect(tally.usageRejected).toBe(1)
  })

  it('of several reports the last wins field by field, and an explicit zero is a value', () => {
    const { meter } = metering()
    const one = meter()
    one.report({ input: 25, output: 1 })
    one.report({ output: 0 })
    expect(one.end()).toMatchObject({ tokens: { input: 25, output: 0 }, usageSource: 'reported' })
  })

  it('a part is never more than its whole', () => {
    const { meter } = metering()
    const one = meter()
    one.report({ input: 5, cachedInput: 9, output: 2, reasoning: 8 })
    expect(one.end().tokens).toEqual({ input: 5, cachedInput: 5, output: 2, reasoning: 2 })
  })

  it('nothing generated and nothing reported is no usage at all', () => {
    expect(metering().meter().end()).toMatchObject({ usageSource: 'none', firstContentAtMs: null })
  })

  it('each model, host and key has a tally of its own, also when their names run together', () => {
    const { tallies } = metering()
    tallies.tally('a', 'bc', 'k').output++
    tallies.tally('ab', 'c', 'k').output++
    expect([...tallies].map(({ model, host, output }) => [model, host, output])).toEqual([
      ['m', 'h', 0],
      ['a', 'bc', 1],
      ['ab', 'c', 1],
    ])
  })
})

describe('tokens that seconds divide', () => {
  it('decoded: the output behind the first piece of each stream, live, and topped up to what the host reports', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.content()
    expect(tally.decoded).toBe(0)
    one.content()
    one.content()
    expect(tally.decoded).toBe(2)
    one.report({ output: 6 })
    one.end()
    one.end()
    expect(tally.decoded).toBe(4)
  })

  it('decoded: at the set pace, however short the answers and however long a host takes to say that it is done', async () => {
    const { meter, tally, clock } = metering()
    for (let answer = 0; answer < 10; answer++) {
      const one = meter()
      for (let token = 0; token < 6; token++) {
        await clock.advance(25)
        one.content()
        expect(tally.decodedSeconds).toBeCloseTo(tally.decoded * 0.025, 9)
      }
      await clock.advance(25)
      one.generated()
      expect(one.end().timePerOutputTokenMs).toBeCloseTo(25, 9)
    }
    expect(tally.decoded / tally.decodedSeconds).toBeCloseTo(40, 9)
  })

  it('decoded: none of an answer that comes in one piece, whatever it holds', async () => {
    const { meter, tally, clock } = metering()
    const toolCall = meter()
    await clock.advance(3_000)
    toolCall.content()
    await clock.advance(6)
    toolCall.report({ output: 100 })
    toolCall.generated()
    expect(toolCall.end().timePerOutputTokenMs).toBeNull()
    expect(tally).toMatchObject({ output: 100, decoded: 0, decodedSeconds: 0 })
  })

  it('decoded: of pieces that hold several tokens all but those of the first', async () => {
    const { meter, tally, clock } = metering()
    const one = meter()
    one.content()
    await clock.advance(80)
    one.content()
    one.report({ output: 16 })
    one.generated()
    expect(one.end().timePerOutputTokenMs).toBe(10)
    expect(tally).toMatchObject({ decoded: 8, decodedSeconds: 0.08 })
  })

  it('decoded: none where several answers share the stream, which is faster than each of them', async () => {
    const { clock, tally, phases } = metering()
    const gaps = new StreamGaps({ stallMs: 2_000 }).of('m', 'h')
    const one = new Meter({ clock, tally, phases, stream: true, shared: true, gaps })
    for (let token = 0; token < 200; token++) {
      if (token % 4 === 0) await clock.advance(40)
      one.content()
    }
    one.report({ output: 200 })
    expect(one.end().timePerOutputTokenMs).toBeNull()
    expect(tally).toMatchObject({ output: 200, decoded: 0, decodedSeconds: 0 })
    expect(gaps.sumSeconds).toBe(0)
  })

  it('decoded: in no time in which a client took nothing', async () => {
    const { clock, tally, phases } = metering()
    const gaps = new StreamGaps({ stallMs: 2_000 }).of('m', 'h')
    const one = new Meter({ clock, tally, phases, stream: true, gaps })
    one.content()
    for (let token = 0; token < 10; token++) {
      await clock.advance(20)
      one.content()
    }
    await clock.advance(15)
    one.heldUp()
    await clock.advance(5_000)
    one.readOn()
    one.readOn()
    await clock.advance(5)
    one.content()
    expect(one.soFar().timePerOutputTokenMs).toBeCloseTo(20, 9)
    expect(tally.decoded).toBe(11)
    expect(tally.decodedSeconds).toBeCloseTo(0.22, 9)
    one.heldUp()
    await clock.advance(5_000)
    expect(one.end().timePerOutputTokenMsLeast).toBeCloseTo(220 / 12, 9)
    expect(gaps.stalls).toBe(0)
  })

  it('decoded: none of an answer that shows nothing before it is whole, and none of a stream without content', () => {
    const whole = metering(false)
    const one = whole.meter()
    one.report({ input: 5, output: 9 })
    one.end()
    const empty = metering()
    const two = empty.meter()
    two.report({ input: 5, output: 9 })
    two.end()
    expect([whole.tally, empty.tally]).toMatchObject([
      { decoded: 0, prefilled: 0, output: 9 },
      { decoded: 0, prefilled: 0, output: 9 },
    ])
  })

  it('prefilled: what the host reports to have read, but for what came from its cache; never an estimate', async () => {
    const { meter, tally, clock } = metering()
    const reported = meter()
    await clock.advance(500)
    reported.content()
    await clock.advance(9_000)
    expect(tally).toMatchObject({ prefilled: 0, prefilledSeconds: 0 })
    reported.report({ input: 100, cachedInput: 60, output: 1 })
    reported.end(500)
    const estimated = meter()
    await clock.advance(2_000)
    estimated.content()
    estimated.end(500)
    const left = meter()
    await clock.advance(2_000)
    left.end(500)
    expect(tally).toMatchObject({ input: 1_100, prefilled: 40, prefilledSeconds: 0.5 })
  })

  it('say whether a host told of its cache: nothing said is not nothing in it', () => {
    const { meter } = metering()
    const silent = meter()
    silent.report({ input: 100, output: 1 })
    const empty = meter()
    empty.report({ input: 100, cachedInput: 0, output: 1 })
    expect([silent, empty].map((one) => one.end().sources)).toEqual([
      { input: 'reported', cachedInput: 'none', output: 'reported' },
      { input: 'reported', cachedInput: 'reported', output: 'reported' },
    ])
  })

  it('discarded: what nobody got, which is no output', () => {
    const { clock, tally, phases } = metering()
    const kept = new Meter({ clock, tally, phases, stream: true, live: false })
    for (let frames = 0; frames < 3; frames++) kept.content()
    kept.discard()
    const passed = new Meter({ clock, tally, phases, stream: false, live: false })
    passed.passed(40)
    passed.discard()
    expect(tally).toMatchObject({ discarded: 13, output: 0 })
  })
})

describe('times', () => {
  it('per output token is (last - first) / tokens behind the first piece, with the tokens the host reports', async () => {
    const { meter, clock } = metering()
    const one = meter()
    await clock.advance(500)
    one.content()
    const firstAtMs = clock.now()
    await clock.advance(300)
    one.content()
    one.report({ output: 4 })
    await clock.advance(9_999)
    expect(one.end()).toMatchObject({ firstContentAtMs: firstAtMs, timePerOutputTokenMs: 150 })
  })

  it('are undefined for a single token', () => {
    const { meter } = metering()
    const one = meter()
    one.content()
    expect(one.end().timePerOutputTokenMs).toBeNull()
  })

  it('per output token have a least one for a stream that stands still until it is ended, and none where its host was done', async () => {
    const { clock, tally, phases } = metering()
    const gaps = new StreamGaps({ stallMs: 2_000 }).of('m', 'h')
    const streamed = async (): Promise<Meter> => {
      const one = new Meter({ clock, tally, phases, stream: true, gaps })
      for (let token = 0; token < 20; token++) {
        await clock.advance(10)
        one.content()
      }
      return one
    }
    const stuck = await streamed()
    await clock.advance(5_810)
    expect(stuck.end()).toMatchObject({ timePerOutputTokenMs: 10, timePerOutputTokenMsLeast: 300 })
    expect(gaps.stalls).toBe(1)
    const lost = await streamed()
    await clock.advance(3_000)
    lost.discard()
    expect(gaps.stalls).toBe(2)
    const whole = await streamed()
    whole.generated()
    await clock.advance(5_000)
    expect(whole.end()).toMatchObject({ timePerOutputTokenMs: 10, timePerOutputTokenMsLeast: null })
    expect(gaps.stalls).toBe(2)
  })

  it('seconds add up while streams run, busy ones once however many run', async () => {
    const { meter, clock, phases } = metering()
    const first = meter()
    await clock.advance(1_000)
    first.content()
    const second = meter()
    await clock.advance(500)
    second.content()
    await clock.advance(2_000)
    expect([...phases.totals()]).toEqual([
      {
        model: 'm',
        host: 'h',
        prefillSeconds: 1.5,
        decodeSeconds: 4.5,
        wholeSeconds: 0,
        busySeconds: 2.5,
        running: { prefill: 0, decode: 2, whole: 0 },
      },
    ])
    first.end()
    second.end()
    await clock.advance(10_000)
    expect([...phases.totals()][0]).toMatchObject({ prefillSeconds: 1.5, decodeSeconds: 4.5, busySeconds: 2.5 })
  })

  it('a whole answer has seconds of its own from dispatch to end, in which its host is busy', async () => {
    const { meter, clock, phases } = metering(false)
    const one = meter()
    await clock.advance(3_000)
    one.end()
    expect([...phases.totals()][0]).toMatchObject({
      prefillSeconds: 0,
      decodeSeconds: 0,
      wholeSeconds: 3,
      busySeconds: 3,
      running: { prefill: 0, decode: 0, whole: 0 },
    })
  })
})
