import { describe, expect, it } from 'vitest'
import { allAtOnce } from '../../../src/base/steps.ts'
import { Counted, quantileOf } from '../../../src/observe/counted.ts'
import { RecentFigures } from '../../../src/observe/recent-figures.ts'
import { SeriesTable } from '../../../src/observe/series-table.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ScriptedSources, tokenTotals } from '../../kit/scripted-sources.ts'

/** One model at one host, of which a test moves the totals. */
function scene({ withMetrics = true } = {}) {
  const clock = new FakeClock()
  const table = new SeriesTable({ clock, seriesMax: 20_000, knownModel: () => true })
  const sources = new ScriptedSources()
  const tokens = tokenTotals('qwen', 'studio', 'alice')
  const phases = {
    model: 'qwen',
    host: 'studio',
    prefillSeconds: 0,
    decodeSeconds: 0,
    wholeSeconds: 0,
    busySeconds: 0,
    running: { prefill: 0, decode: 0, whole: 0 },
  }
  sources.tokenTotals = [tokens]
  const generating = { host: 'studio', seconds: 0 }
  sources.phaseTotals = [phases]
  sources.generatingTotals = [generating]
  const figures = new RecentFigures({ clock, sources, counted: withMetrics ? new Counted(table) : null })
  /** Two streams of 50 tok/s each, for so long. */
  const generate = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      tokens.output += 100
      tokens.decoded += 100
      tokens.decodedSeconds += 2
      phases.decodeSeconds += 2
      phases.busySeconds += 1
      generating.seconds += 1
      await clock.advance(1_000)
    }
  }
  const firstToken = (ms: number, host = 'studio'): void =>
    table.observe('time_to_first_token_seconds', { model: 'qwen', host, class: 'default' }, ms / 1_000)
  return { clock, sources, tokens, figures, generate, firstToken, all: () => allAtOnce(figures.now(null))('') }
}

describe('speeds of the last minutes', () => {
  it('are what the definitions say of what was made in the window', async () => {
    const { figures, generate, tokens, all } = scene()
    figures.start()
    await generate(30)
    tokens.prefilled += 6_000
    tokens.prefilledSeconds += 4
    expect(all().lastMinute).toEqual({
      windowSeconds: 30,
      outputTokensPerSecond: 100,
      streamTokensPerSecond: 50,
      busyTokensPerSecond: 100,
      batchSize: 2,
      prefillTokensPerSecond: 1_500,
      ttftP50Ms: null,
      ttftP95Ms: null,
    })
    figures.stop()
  })

  it('say how long the window really is: shorter at first, then a little longer than asked for', async () => {
    const { clock, figures, all } = scene()
    figures.start()
    await clock.advance(12_000)
    expect(all().lastMinute.windowSeconds).toBe(12)
    await clock.advance(100_000)
    expect(all()).toMatchObject({ lastMinute: { windowSeconds: 62 }, last5Minutes: { windowSeconds: 112 } })
    await clock.advance(3_600_000)
    expect(all()).toMatchObject({ lastMinute: { windowSeconds: 62 }, last5Minutes: { windowSeconds: 302 } })
    figures.stop()
  })

  it('forget what lies before it, while the longer window still has it', async () => {
    const { clock, figures, generate, all } = scene()
    figures.start()
    await generate(60)
    await clock.advance(120_000)
    const { lastMinute, last5Minutes } = all()
    expect(lastMinute).toMatchObject({ outputTokensPerSecond: 0, streamTokensPerSecond: null, batchSize: null })
    expect(last5Minutes).toMatchObject({ outputTokensPerSecond: 33.33, streamTokensPerSecond: 50 })
    figures.stop()
  })

  it('are those of the hosts and models that are asked for, together', async () => {
    const { clock, figures, sources } = scene()
    figures.start()
    await clock.advance(10_000)
    // Places that come later began at nothing.
    sources.tokenTotals.push(
      tokenTotals('qwen', 'mini', 'alice', { output: 300 }),
      tokenTotals('qwen', 'mini', 'bob', { output: 100 }),
      tokenTotals('gemma', 'mini', 'bob', { output: 500 }),
    )
    const [byHost, byModel] = [allAtOnce(figures.now('host')), allAtOnce(figures.now('model'))]
    expect(byHost('mini').lastMinute.outputTokensPerSecond).toBe(90)
    expect(byModel('qwen').lastMinute.outputTokensPerSecond).toBe(40)
    expect(byHost('none').lastMinute.outputTokensPerSecond).toBe(0)
    figures.stop()
  })

  it('of a host count the seconds in which it made several models at once once, and those of each model its own', async () => {
    const { clock, figures, sources } = scene()
    figures.start()
    const busy = { prefillSeconds: 0, wholeSeconds: 0, running: { prefill: 0, decode: 0, whole: 0 } }
    for (const model of ['qwen', 'gemma']) {
      sources.tokenTotals.push(tokenTotals(model, 'mini', 'alice', { output: 100 }))
      sources.phaseTotals.push({ model, host: 'mini', ...busy, decodeSeconds: 5, busySeconds: 5 })
    }
    sources.generatingTotals.push({ host: 'mini', seconds: 5 })
    await clock.advance(10_000)
    const [byHost, byModel] = [allAtOnce(figures.now('host')), allAtOnce(figures.now('model'))]
    expect(byHost('mini').lastMinute).toMatchObject({ busyTokensPerSecond: 40, batchSize: 2 })
    expect(byModel('gemma').lastMinute).toMatchObject({ busyTokensPerSecond: 20, batchSize: 1 })
    figures.stop()
  })

  it('keep in mind only what moved, of a bounded number of places', async () => {
    const { clock, figures, sources } = scene()
    for (let n = 0; n < 3_000; n++) sources.tokenTotals.push(tokenTotals(`m${n}`, 'mini', 'alice', { output: 7 }))
    figures.start()
    await clock.advance(5_000)
    for (const totals of sources.tokenTotals) totals.output += 10
    await clock.advance(5_000)
    const byModel = allAtOnce(figures.now('model'))
    expect(byModel('m0').lastMinute.outputTokensPerSecond).toBe(1)
    expect(byModel('m2999').lastMinute.outputTokensPerSecond).toBe(0)
    expect(byModel('other').lastMinute.outputTokensPerSecond).toBeGreaterThan(2_000)
    expect(allAtOnce(figures.now(null))('').lastMinute.outputTokensPerSecond).toBe(3_001)
    figures.stop()
  })

  it('have the time to the first token of the window, as Prometheus reads it from the same classes', async () => {
    const { clock, figures, firstToken, all } = scene()
    figures.start()
    for (let n = 0; n < 50; n++) firstToken(100_000)
    await clock.advance(120_000)
    for (let n = 0; n < 90; n++) firstToken(400)
    for (let n = 0; n < 10; n++) firstToken(4_000)
    // 90 between 0.25 and 0.5 s, 10 between 3 and 5 s.
    expect(all().lastMinute).toMatchObject({ ttftP50Ms: 388.89, ttftP95Ms: 4_000 })
    expect(all().last5Minutes.ttftP95Ms).toBeGreaterThan(60_000)
    figures.stop()
  })

  it('have all else where metrics are off', async () => {
    const { figures, generate, firstToken, all } = scene({ withMetrics: false })
    figures.start()
    firstToken(100)
    await generate(10)
    expect(all().lastMinute).toMatchObject({ streamTokensPerSecond: 50, ttftP50Ms: null })
    figures.stop()
  })

  it('are made of a bounded number of looks, and none is taken any more once they are stopped', async () => {
    const { clock, figures } = scene()
    figures.start()
    await clock.advance(3_600_000)
    expect(figures.looks).toBe(61)
    figures.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('keep the times to the first token of a model whose series ended for want of room', async () => {
    const clock = new FakeClock()
    let isKnown = true
    const options = { clock, knownModel: () => isKnown }
    // Room for one histogram beside what is there from the beginning.
    const atFirst = new SeriesTable({ ...options, seriesMax: 0 }).seriesCount
    const table = new SeriesTable({ ...options, seriesMax: atFirst + 30 })
    const sources = new ScriptedSources()
    const figures = new RecentFigures({ clock, sources, counted: new Counted(table) })
    const firstToken = (seconds: number) =>
      table.observe('time_to_first_token_seconds', { model: 'qwen', host: 'studio', class: 'default' }, seconds)
    figures.start()
    for (let tokens = 0; tokens < 10; tokens += 1) firstToken(0.4)
    await clock.advance(5_000)
    isKnown = false
    allAtOnce(table.free())
    sources.tokenTotals[0]!.output += 100
    await clock.advance(5_000)
    isKnown = true
    firstToken(8)
    await clock.advance(5_000)
    // The middle of eleven, ten of which came within 250 to 500 ms.
    expect(allAtOnce(figures.now(null))('').lastMinute.ttftP50Ms).toBeCloseTo(387.5)
    figures.stop()
  })

  it('are unknown before the first second has passed', () => {
    const { figures, all } = scene()
    expect(all().lastMinute).toMatchObject({ windowSeconds: 0, outputTokensPerSecond: null, batchSize: null })
    figures.start()
    expect(all().lastMinute.outputTokensPerSecond).toBeNull()
    figures.stop()
  })
})

describe('a quantile out of classes', () => {
  it.each([
    [0.5, [0, 10, 0, 0], 1.5],
    [0.5, [4, 4, 0, 0], 1],
    [0.25, [4, 4, 0, 0], 0.5],
    [0.95, [0, 0, 20, 0], 3.9],
    [0.99, [10, 0, 0, 90], 4],
    [1, [0, 1, 0, 0], 2],
    [0.5, [0, 0, 0, 0], null],
  ])('%d of %j is %j', (share, counts, expected) => {
    const found = quantileOf(share, counts, [1, 2, 4])
    if (expected === null) expect(found).toBeNull()
    else expect(found).toBeCloseTo(expected, 9)
  })
})
