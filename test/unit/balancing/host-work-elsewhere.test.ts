/** What other gateways have at a host counts as work of it, and among those that run beside an answer. */
import { expect, it } from 'vitest'
import type { Assignment } from '../../../src/balancing/assignment.ts'
import { HostWork } from '../../../src/balancing/host-work.ts'
import type { SpeedSample } from '../../../src/balancing/learned-speeds.ts'
import { noPrefixes } from '../../../src/balancing/prefix-memory.ts'
import type { Speed } from '../../../src/balancing/speed.ts'
import { type Elsewhere, nothingElsewhere } from '../../../src/balancing/work-elsewhere.ts'
import { assumedSpeeds } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

/** A token of a prompt takes 1 ms, one of an answer 10 ms alone and 5 ms more with each further one. */
const speed: Speed = { prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 100, slowdown: 0.5, samples: 0 }
const host = knownHost('a')

class Scene {
  readonly clock = new FakeClock()
  readonly observed: SpeedSample[] = []
  elsewhere: Elsewhere
  readonly work = new HostWork({
    clock: this.clock,
    prefixes: noPrefixes,
    speeds: { ...assumedSpeeds, of: () => speed, observe: (_host, _model, sample) => void this.observed.push(sample) },
  })

  constructor(elsewhere: Elsewhere) {
    this.elsewhere = elsewhere
    this.work.heeds({ of: () => this.elsewhere })
  }

  begin(input: number, output: number): Assignment {
    const prompt = { inputTokens: input, uncachedTokens: input, owner: 'ann', sentTokens: 0 }
    return this.work.begin({ host, model: 'm', ...prompt, inputAhead: 0, outputTokens: output, speed }, { output: 0 })
  }

  waits(...before: readonly number[]): readonly number[] {
    return before.map((count) => this.work.ahead(host, speed, count).slotWaitMs)
  }
}

it('is ahead of those who come here too, and is no work of this gateway', () => {
  const scene = new Scene({ running: 2, input: 300, output: 80 })
  expect(scene.work.ahead(host, speed, null)).toEqual({ input: 300, output: 80, slotWaitMs: 0 })
  expect([scene.work.running(host), scene.work.own(host)]).toEqual([0, nothingElsewhere])
  scene.begin(1_000, 10)
  expect(scene.work.ahead(host, speed, null)).toEqual({ input: 1_300, output: 90, slotWaitMs: 0 })
  expect(scene.work.own(host)).toEqual({ running: 1, input: 1_000, output: 10 })
})

it('gives slots back as well: each after its share of what is left, beside those of this one', () => {
  const scene = new Scene({ running: 2, input: 0, output: 100 })
  // 50 tokens each, at 10 ms and half as much more for the other one.
  expect(scene.waits(0, 1, 2)).toEqual([750, 750, 1_500])
  scene.begin(0, 10).firstToken()
  expect(scene.waits(0, 1)).toEqual([200, 1_000])
})

it('is counted among those that were there together with an answer, for as long as it was', () => {
  const scene = new Scene(nothingElsewhere)
  const one = scene.begin(100, 100)
  one.firstToken()
  scene.clock.advanceSync(1_000)
  scene.work.changesElsewhere(host)
  scene.elsewhere = { running: 2, input: 0, output: 0 }
  scene.clock.advanceSync(1_000)
  const tokens = { input: null, cachedInput: null }
  one.answered({ firstTokenMs: null, timePerOutputTokenMs: 20, wholeMs: null, tokens, outputTokens: 100 })
  expect(scene.observed).toMatchObject([{ together: 2 }])
})
