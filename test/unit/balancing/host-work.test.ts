/** What each host has to do, held against a list that reckons it anew each time; and what an answer tells of its host. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Answered, Assignment } from '../../../src/balancing/assignment.ts'
import { HostWork } from '../../../src/balancing/host-work.ts'
import type { SpeedSample } from '../../../src/balancing/learned-speeds.ts'
import { noPrefixes } from '../../../src/balancing/prefix-memory.ts'
import type { Speed } from '../../../src/balancing/speed.ts'
import { assumedSpeeds } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

/** A token of a prompt takes 1 ms, one of an answer 10 ms alone and 5 ms more with each further one. */
const speed: Speed = { prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 100, slowdown: 0.5, samples: 0 }

const [host, other] = [knownHost('a'), knownHost('b')]

interface Given {
  readonly input: number
  readonly uncached?: number
  readonly output: number
}

class Scene {
  readonly clock = new FakeClock()
  readonly observed: SpeedSample[] = []
  readonly work = new HostWork({
    clock: this.clock,
    prefixes: noPrefixes,
    speeds: { ...assumedSpeeds, of: () => speed, observe: (_host, _model, sample) => void this.observed.push(sample) },
  })

  begin({ input, uncached = input, output }: Given, at = host): { one: Assignment; generated: { output: number } } {
    const generated = { output: 0 }
    const parts = {
      host: at,
      model: 'm',
      inputTokens: input,
      uncachedTokens: uncached,
      owner: 'ann',
      sentTokens: 0,
      inputAhead: this.work.ahead(at, speed, null).input,
      outputTokens: output,
      speed,
    }
    return { one: this.work.begin(parts, generated), generated }
  }

  get inputAhead(): number {
    return this.work.ahead(host, speed, null).input
  }

  get outputAhead(): number {
    return this.work.ahead(host, speed, null).output
  }

  slotWaitMs(before = 0): number {
    return this.work.ahead(host, speed, before).slotWaitMs
  }
}

function answered(more: Partial<Answered> = {}): Answered {
  const none = { input: null, cachedInput: null }
  return { firstTokenMs: null, timePerOutputTokenMs: null, wholeMs: null, tokens: none, outputTokens: 100, ...more }
}

describe('prompts that are ahead', () => {
  it('are read one after the other, the first one meanwhile', () => {
    const scene = new Scene()
    const first = scene.begin({ input: 1_000, output: 10 })
    scene.begin({ input: 500, output: 10 })
    expect(scene.inputAhead).toBe(1_500)
    scene.clock.advanceSync(400)
    expect(scene.inputAhead).toBe(1_100)
    // It takes longer than it should: the next has to wait all the same.
    scene.clock.advanceSync(5_000)
    expect(scene.inputAhead).toBe(500)
    first.one.firstToken()
    expect(scene.inputAhead).toBe(500)
    scene.clock.advanceSync(100)
    expect(scene.inputAhead).toBe(400)
  })

  it('only as far as no cache holds them', () => {
    const scene = new Scene()
    scene.begin({ input: 1_000, uncached: 50, output: 10 })
    expect(scene.inputAhead).toBe(50)
  })

  it('no more once the attempt is over, and the next one has its turn', () => {
    const scene = new Scene()
    const first = scene.begin({ input: 1_000, output: 10 })
    scene.begin({ input: 500, output: 10 })
    scene.clock.advanceSync(900)
    first.one.end()
    expect(scene.inputAhead).toBe(500)
  })

  it('of a host that reads several at once: the first one goes on although another was quicker', () => {
    const scene = new Scene()
    scene.begin({ input: 1_000, output: 10 })
    const second = scene.begin({ input: 100, output: 10 })
    scene.clock.advanceSync(300)
    second.one.firstToken()
    expect(scene.inputAhead).toBe(700)
  })

  it('of whole answers, which never show a first token, are read by the time that takes', () => {
    const scene = new Scene()
    scene.begin({ input: 1_000, output: 10 }).one.goesUnseen()
    scene.begin({ input: 500, output: 10 })
    scene.clock.advanceSync(1_200)
    expect(scene.inputAhead).toBe(300)
    // Long after, nothing but a newcomer itself is to be read.
    scene.clock.advanceSync(60_000)
    expect(scene.inputAhead).toBe(0)
  })

  it('of whole answers that were read long ago are no start for those who come later', () => {
    const scene = new Scene()
    scene.begin({ input: 1_000, output: 10 }).one.goesUnseen()
    scene.clock.advanceSync(60_000)
    scene.begin({ input: 500, output: 10 })
    expect(scene.inputAhead).toBe(500)
    scene.clock.advanceSync(200)
    expect(scene.inputAhead).toBe(300)
  })

  it('were read if one behind them was', () => {
    const scene = new Scene()
    scene.begin({ input: 100_000, output: 10 }).one.goesUnseen()
    const second = scene.begin({ input: 500, output: 10 })
    scene.clock.advanceSync(1_000)
    second.one.firstToken()
    expect(scene.inputAhead).toBe(0)
  })
})

describe('answers that are ahead', () => {
  it('get less as they come, and one token is left until the end', () => {
    const scene = new Scene()
    const { generated } = scene.begin({ input: 10, output: 300 })
    expect(scene.outputAhead).toBe(300)
    generated.output = 299
    expect(scene.outputAhead).toBe(1)
    generated.output = 500
    expect(scene.outputAhead).toBe(1)
  })

  it('get less by time where they come whole', () => {
    const scene = new Scene()
    scene.begin({ input: 1_000, output: 300 }).one.goesUnseen()
    scene.clock.advanceSync(1_000)
    expect(scene.outputAhead).toBe(300)
    scene.clock.advanceSync(1_000)
    expect(scene.outputAhead).toBe(200)
    scene.clock.advanceSync(60_000)
    expect(scene.outputAhead).toBe(1)
  })

  it('are those of the ones that run, also when one of before is ended once more', () => {
    const scene = new Scene()
    const before = scene.begin({ input: 10, output: 300 }).one
    before.end()
    scene.begin({ input: 10, output: 200 })
    before.end()
    expect(scene.work.running(host)).toBe(1)
    expect(scene.outputAhead).toBe(200)
  })

  it('of clients that are gone while their host goes on: it is busy until the slot is free', () => {
    const scene = new Scene()
    const { one, generated } = scene.begin({ input: 1_000, output: 300 })
    one.firstToken()
    generated.output = 100
    one.goesUnseen()
    expect(scene.work.running(host)).toBe(1)
    expect(scene.outputAhead).toBe(200)
    scene.clock.advanceSync(500)
    expect(scene.outputAhead).toBe(150)
    expect(scene.slotWaitMs()).toBe(1_500)
    one.end()
    expect(scene.work.running(host)).toBe(0)
    expect(scene.outputAhead).toBe(0)
  })
})

describe('the wait for a slot', () => {
  it('is that of the one that ends first, reading included', () => {
    const scene = new Scene()
    const [long, short] = [scene.begin({ input: 100, output: 300 }), scene.begin({ input: 100, output: 100 })]
    // Two together: 15 ms for each token.
    expect(scene.slotWaitMs()).toBe(100 * 15 + 200)
    for (const { one } of [long, short]) one.firstToken()
    expect(scene.slotWaitMs()).toBe(100 * 15)
    short.generated.output = 80
    expect(scene.slotWaitMs()).toBe(20 * 15)
    expect(scene.slotWaitMs(1)).toBe(300 * 15)
  })

  it('grows with those before, round after round', () => {
    const scene = new Scene()
    for (const output of [400, 100, 300, 200]) scene.begin({ input: 0, output })
    // Four together: 25 ms.
    const waits = [0, 1, 2, 3, 4, 5, 9].map((before) => scene.slotWaitMs(before) / 25)
    expect(waits).toEqual([100, 200, 300, 400, 500, 600, 1_000])
  })

  it('is none at a host that has nothing to do', () => {
    expect(new Scene().slotWaitMs(3)).toBe(0)
  })
})

describe('what an answer tells of its host', () => {
  it('with how many it ran, over the time from its first token', () => {
    const scene = new Scene()
    const { one } = scene.begin({ input: 100, output: 100 })
    scene.clock.advanceSync(1_000)
    one.firstToken()
    scene.clock.advanceSync(2_000)
    const second = scene.begin({ input: 100, output: 100 })
    scene.clock.advanceSync(1_000)
    const third = scene.begin({ input: 100, output: 100 })
    second.one.end()
    scene.clock.advanceSync(500)
    third.one.end()
    scene.clock.advanceSync(500)
    one.answered(answered({ timePerOutputTokenMs: 12 }))
    // 2 s alone, 1.5 s with another one, 0.5 s alone again.
    expect(scene.observed[0]?.together).toBeCloseTo((2_000 + 2 * 1_500 + 500) / 4_000)
    expect(scene.observed[0]?.beganAtMs).toBe(1_000)
  })

  it('how much it had to read: as its host says, else as was thought of a prompt of the size that it says', () => {
    const scene = new Scene()
    const { one } = scene.begin({ input: 1_000, uncached: 250, output: 100 })
    const told = [
      { input: 1_200, cachedInput: 900 },
      { input: 1_200, cachedInput: 0 },
      { input: 1_200, cachedInput: null },
      { input: null, cachedInput: null },
    ]
    for (const tokens of told) one.answered(answered({ firstTokenMs: 400, tokens }))
    expect(scene.observed.map(({ inputRead }) => inputRead)).toEqual([300, 1_200, 300, 250])
  })

  it('what was to be read before it', () => {
    const scene = new Scene()
    scene.begin({ input: 700, output: 100 })
    scene.clock.advanceSync(100)
    scene.begin({ input: 100, output: 100 }).one.answered(answered({ firstTokenMs: 700 }))
    expect(scene.observed[0]).toMatchObject({ inputRead: 100, inputAhead: 600 })
  })

  it('nothing where nothing was seen', () => {
    const scene = new Scene()
    scene.begin({ input: 700, output: 100 }).one.answered(answered())
    expect(scene.observed).toEqual([])
  })

  it('of a whole answer the time of a token, where its prompt took little of it', () => {
    const scene = new Scene()
    const { one } = scene.begin({ input: 250, output: 100 })
    one.goesUnseen()
    scene.clock.advanceSync(1_000)
    one.answered(answered({ wholeMs: 1_000, outputTokens: 50 }))
    expect(scene.observed).toMatchObject([{ firstTokenMs: null, timePerOutputTokenMs: (1_000 - 250) / 50 }])
    // A prompt that took a moment more than a quarter, and an answer too short to tell.
    one.answered(answered({ wholeMs: 999, outputTokens: 50 }))
    one.answered(answered({ wholeMs: 1_000, outputTokens: 15 }))
    expect(scene.observed).toHaveLength(1)
  })
})

/** One step of a random course; `at` picks among those that are there. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant('begin'),
    input: fc.nat(3_000),
    output: fc.integer({ min: 1, max: 500 }),
    b: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('firstToken', 'unseen', 'end', 'endAgain', 'tokens'), at: fc.nat(50) }),
  fc.record({ kind: fc.constant('pass'), ms: fc.nat(2_000) }),
)

interface Kept {
  readonly one: Assignment
  readonly generated: { output: number }
  readonly given: Given
  /** Since when, and up to where the sums of its host had come by then. */
  fromMs: number
  fromSum: number
}

/** The same as the work itself keeps, as a list without any thought. */
class Course {
  readonly scene = new Scene()
  readonly open: Kept[] = []
  readonly #ended: Kept[] = []
  /** Attempts x ms. */
  readonly #sums = new Map([
    [host, 0],
    [other, 0],
  ])

  begin(given: Given, at: typeof host): void {
    const kept = { ...this.scene.begin(given, at), given, fromMs: 0, fromSum: 0 }
    this.open.push(kept)
    this.#countFrom(kept)
  }

  pass(ms: number): void {
    for (const [at, sum] of this.#sums) this.#sums.set(at, sum + ms * this.there(at).length)
    this.scene.clock.advanceSync(ms)
  }

  act(kind: string, at: number): void {
    if (kind === 'endAgain') this.#ended[at % Math.max(1, this.#ended.length)]?.one.end()
    const kept = this.open[at % Math.max(1, this.open.length)]
    if (kept === undefined) return
    const { one, generated } = kept
    if (kind === 'tokens') generated.output += 7
    if (kind === 'unseen') one.goesUnseen()
    if (kind === 'firstToken') {
      if (one.isReading) this.#countFrom(kept)
      one.firstToken()
    }
    if (kind !== 'end') return
    this.#expectTogether(kept)
    one.end()
    this.open.splice(this.open.indexOf(kept), 1)
    this.#ended.push(kept)
  }

  there(at: typeof host): readonly Kept[] {
    return this.open.filter(({ one }) => one.parts.host === at)
  }

  #countFrom(kept: Kept): void {
    kept.fromMs = this.scene.clock.now()
    kept.fromSum = this.#sums.get(kept.one.parts.host) ?? 0
  }

  #expectTogether({ one, fromMs, fromSum }: Kept): void {
    const { clock, observed } = this.scene
    one.answered(answered({ timePerOutputTokenMs: 20 }))
    const forMs = clock.now() - fromMs
    const mean =
      forMs > 0 ? ((this.#sums.get(one.parts.host) ?? 0) - fromSum) / forMs : this.there(one.parts.host).length
    expect(observed.at(-1)?.together).toBeCloseTo(mean)
  }
}

describe('whatever happens', () => {
  it('it is what a list of all that runs comes to, and nothing is left when all have ended', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const course = new Course()
        for (const one of steps) {
          if ('input' in one) course.begin(one, one.b ? other : host)
          else if ('ms' in one) course.pass(one.ms)
          else course.act(one.kind, one.at)
          for (const at of [host, other]) expectSums(course.scene.work, course.there(at), at)
        }
        for (const { one } of course.open) one.end()
        for (const at of [host, other]) expectSums(course.scene.work, [], at)
      }),
    )
  })
})

function expectSums(work: HostWork, there: readonly Kept[], at: typeof host): void {
  expect(work.running(at)).toBe(there.length)
  const seen = there.every(({ one }) => !one.isUnseen)
  const output = there.reduce((sum, { given, generated }) => sum + Math.max(1, given.output - generated.output), 0)
  if (seen) expect(work.ahead(at, speed, null).output).toBe(output)
  else expect(work.ahead(at, speed, null).output).toBeLessThanOrEqual(output)
  // What is ahead is between all that has shown no first token, and that less the prompt which is being read.
  const reading = there.filter(({ one }) => one.isReading)
  const input = reading.reduce((sum, { given }) => sum + given.input, 0)
  const ahead = work.ahead(at, speed, null).input
  expect(ahead).toBeLessThanOrEqual(input)
  if (seen) expect(ahead).toBeGreaterThanOrEqual(input - (reading[0]?.given.input ?? 0))
  const waits = [0, 1, 7].map((before) => work.ahead(at, speed, before).slotWaitMs)
  expect(waits).toEqual(waits.toSorted((a, b) => a - b))
  expect(waits.every((ms) => (there.length > 0 ? ms > 0 : ms === 0))).toBe(true)
}
