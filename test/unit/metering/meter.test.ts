import { describe, expect, it } from 'vitest'
import { Meter } from '../../../src/metering/meter.ts'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
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
  it('decoded: the output behind the first of each stream, live, and topped up to what the host reports', () => {
    const { meter, tally } = metering()
    const one = meter()
    one.content()
    expect(tally.decoded).toBe(0)
    one.content()
    one.content()
    expect(tally.decoded).toBe(2)
    one.report({ output: 7 })
    one.end()
    one.end()
    expect(tally.decoded).toBe(6)
    const another = meter()
    another.content()
    another.end()
    expect(tally.decoded).toBe(6)
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

  it('prefilled: what the host reports to have read, but for what came from its cache; never an estimate', () => {
    const { meter, tally } = metering()
    const reported = meter()
    reported.content()
    reported.report({ input: 100, cachedInput: 60, output: 1 })
    reported.end(500)
    const estimated = meter()
    estimated.content()
    estimated.end(500)
    expect(tally).toMatchObject({ input: 600, prefilled: 40 })
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
  it('per output token is (last - first) / (tokens - 1), with the tokens the host reports', async () => {
    const { meter, clock } = metering()
    const one = meter()
    await clock.advance(500)
    one.content()
    const firstAtMs = clock.now()
    await clock.advance(300)
    one.content()
    one.report({ output: 4 })
    await clock.advance(9_999)
    expect(one.end()).toMatchObject({ firstContentAtMs: firstAtMs, timePerOutputTokenMs: 100 })
  })

  it('are undefined for a single token', () => {
    const { meter } = metering()
    const one = meter()
    one.content()
    expect(one.end().timePerOutputTokenMs).toBeNull()
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
