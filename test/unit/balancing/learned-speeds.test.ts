/** What is learned of a host's speed from its answers, how soon, and what does not fool it. */
import { describe, expect, it } from 'vitest'
import { LearnedSpeeds, type SpeedSample } from '../../../src/balancing/learned-speeds.ts'
import { assumedSpeed } from '../../../src/balancing/speed.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'

interface Machine {
  readonly prefill: number
  readonly decode: number
  readonly slowdown: number
  readonly fixedMs?: number
}

/** As the paper on scheduling has them: a mini, a large Mac with a small model, and a GPU of a datacentre. */
const mini: Machine = { prefill: 225, decode: 21, slowdown: 0.35 }
const studio: Machine = { prefill: 1_500, decode: 98, slowdown: 0.28 }
const gpu: Machine = { prefill: 20_000, decode: 100, slowdown: 0.02 }

const minuteMs = 60_000

class Scene {
  readonly clock = new FakeClock()
  readonly speeds = new LearnedSpeeds({ clock: this.clock })
  readonly random = new SeededRandom(3)

  of(host: Host, model = 'm') {
    return this.speeds.of(host, model)
  }

  /** One answer after the other, each as fast as the machine is, give or take a tenth. */
  answers(host: Host, machine: Machine, count: number, more: Partial<SpeedSample> & { model?: string } = {}): void {
    for (let index = 0; index < count; index++) this.answer(host, machine, more)
  }

  answer(host: Host, machine: Machine, { model = 'm', ...more }: Partial<SpeedSample> & { model?: string } = {}): void {
    const { prefill, decode, slowdown, fixedMs = 100 } = machine
    const inputRead = more.inputRead ?? this.random.between(200, 4_000)
    const inputAhead = more.inputAhead ?? 0
    const together = more.together ?? 1 + 3 * this.random.next()
    const beganAtMs = this.clock.now()
    this.clock.advanceSync(1_000)
    this.speeds.observe(host, model, {
      inputRead,
      inputAhead,
      together,
      firstTokenMs: this.#varied(fixedMs + (1_000 * (inputRead + inputAhead)) / prefill),
      timePerOutputTokenMs: this.#varied((1_000 / decode) * (1 + slowdown * (together - 1))),
      outputTokens: 300,
      beganAtMs,
      ...more,
    })
  }

  #varied(ms: number): number {
    return ms * (0.9 + 0.2 * this.random.next())
  }
}

/** How many times more or less it is. */
function timesOff(is: number, truth: number): number {
  return Math.max(is / truth, truth / is)
}

describe('what is learned', () => {
  for (const [name, machine] of Object.entries({ mini, studio, gpu })) {
    it(`of a ${name}: how fast it reads, how fast it generates, and what each further answer costs`, () => {
      const scene = new Scene()
      const host = knownHost(name)
      scene.answers(host, machine, 60)
      const speed = scene.of(host)
      expect(timesOff(speed.prefillTokensPerSecond, machine.prefill)).toBeLessThan(1.25)
      expect(timesOff(speed.decodeTokensPerSecond, machine.decode)).toBeLessThan(1.1)
      expect(Math.abs(speed.slowdown - machine.slowdown)).toBeLessThan(0.12)
      expect(speed.samples).toBeGreaterThan(20)
    })
  }

  it('nothing before the first answer: unknown hosts are as assumed, all alike', () => {
    const { speeds } = new Scene()
    expect(speeds.of(knownHost('a'), 'm')).toEqual(assumedSpeed)
    expect(speeds.of(knownHost('b'), 'other')).toEqual(assumedSpeed)
    expect([...speeds.all()]).toEqual([])
  })

  it('little from one answer, most of it after some', () => {
    const scene = new Scene()
    const host = knownHost('mini')
    const apart = () => Math.log(scene.of(host).decodeTokensPerSecond / mini.decode)
    const before = apart()
    scene.answer(host, mini)
    expect(apart()).toBeGreaterThan(before / 2)
    expect(apart()).toBeLessThan(before)
    scene.answers(host, mini, 9)
    expect(apart()).toBeLessThan(before / 4)
  })

  it('a short prompt that waits for other things than being read makes no slow reader', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answers(host, { ...studio, fixedMs: 400 }, 200, { inputRead: 20 })
    expect(scene.of(host).prefillTokensPerSecond).toBeGreaterThan(assumedSpeed.prefillTokensPerSecond / 1.5)
    scene.answers(host, { ...studio, fixedMs: 400 }, 30)
    expect(timesOff(scene.of(host).prefillTokensPerSecond, studio.prefill)).toBeLessThan(1.2)
  })

  it('the prompts that are read before its own count as read', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answers(host, studio, 40, { inputAhead: 3_000 })
    expect(timesOff(scene.of(host).prefillTokensPerSecond, studio.prefill)).toBeLessThan(1.15)
  })

  it('what a further answer costs is as believed while as many run together every time', () => {
    const scene = new Scene()
    const host = knownHost('mini')
    scene.answers(host, { ...mini, slowdown: 1 }, 60, { together: 3 })
    const { slowdown, decodeTokensPerSecond } = scene.of(host)
    expect(slowdown).toBeCloseTo(assumedSpeed.slowdown, 3)
    // What is seen is right, however it is put together.
    const stepMs = (1_000 / decodeTokensPerSecond) * (1 + slowdown * 2)
    expect(timesOff(stepMs, (1_000 / mini.decode) * 3)).toBeLessThan(1.1)
  })

  it('what stands in the way of many is not what one alone is spared of: a host that is always full looks no faster', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    // Prompts of others are read in between: five of six to eight answers are held up by them, and twice as often by eight.
    for (let index = 0; index < 200; index++) {
      const together = 6 + 2 * scene.random.next()
      const heldUp = 1 + (together - 5) / 2
      const stepMs = (1_000 / studio.decode) * (1 + studio.slowdown * (together - 1))
      scene.answer(host, studio, { together, timePerOutputTokenMs: stepMs * heldUp })
    }
    const { slowdown, decodeTokensPerSecond } = scene.of(host)
    expect(timesOff(decodeTokensPerSecond, studio.decode)).toBeLessThan(2)
    expect(slowdown).toBeLessThan(0.6)
    // And what it is like while it is full is right.
    const full = (1_000 / decodeTokensPerSecond) * (1 + slowdown * 6)
    expect(timesOff(full, (1_000 / studio.decode) * (1 + studio.slowdown * 6) * 2)).toBeLessThan(1.15)
    // Alone it shows how fast it is.
    scene.answers(host, studio, 30, { together: 1 })
    expect(timesOff(scene.of(host).decodeTokensPerSecond, studio.decode)).toBeLessThan(1.15)
  })

  it('a loaded model or a client in the way leave one half of an answer: the other counts', () => {
    const scene = new Scene()
    const [loaded, heldUp] = [knownHost('loaded'), knownHost('heldUp')]
    scene.answers(loaded, mini, 40, { firstTokenMs: null })
    expect(scene.of(loaded).prefillTokensPerSecond).toBeCloseTo(assumedSpeed.prefillTokensPerSecond)
    expect(timesOff(scene.of(loaded).decodeTokensPerSecond, mini.decode)).toBeLessThan(1.1)
    scene.speeds.forget(loaded)
    scene.answers(heldUp, mini, 40, { timePerOutputTokenMs: null })
    expect(scene.of(heldUp).decodeTokensPerSecond).toBeCloseTo(assumedSpeed.decodeTokensPerSecond)
    expect(timesOff(scene.of(heldUp).prefillTokensPerSecond, mini.prefill)).toBeLessThan(1.15)
  })
})

describe('what does not fool it', () => {
  it('one answer that stood still', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answers(host, studio, 30)
    const before = scene.of(host)
    scene.answer(host, studio, { firstTokenMs: 600_000, timePerOutputTokenMs: 5_000 })
    const after = scene.of(host)
    expect(timesOff(after.decodeTokensPerSecond, before.decodeTokensPerSecond)).toBeLessThan(1.1)
    expect(timesOff(after.prefillTokensPerSecond, before.prefillTokensPerSecond)).toBeLessThan(1.2)
  })

  it('a machine that was asleep while many ran, which all end late', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answers(host, studio, 30)
    const before = scene.of(host)
    const beganAtMs = scene.clock.now()
    for (let index = 0; index < 8; index++) {
      scene.answer(host, studio, { beganAtMs, timePerOutputTokenMs: 2_000, together: 8 })
    }
    expect(timesOff(scene.of(host).decodeTokensPerSecond, before.decodeTokensPerSecond)).toBeLessThan(1.15)
    scene.answers(host, studio, 10)
    expect(timesOff(scene.of(host).decodeTokensPerSecond, studio.decode)).toBeLessThan(1.1)
  })

  it('a first answer that stood still', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answer(host, studio, { firstTokenMs: 600_000, timePerOutputTokenMs: 5_000 })
    expect(timesOff(scene.of(host).decodeTokensPerSecond, assumedSpeed.decodeTokensPerSecond)).toBeLessThan(2)
    scene.answers(host, studio, 15)
    expect(timesOff(scene.of(host).decodeTokensPerSecond, studio.decode)).toBeLessThan(1.4)
  })

  it('figures that are none', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    const none = [0, -1, Number.NaN, Number.POSITIVE_INFINITY]
    for (const value of none) {
      scene.answer(host, studio, { inputRead: value })
      scene.answer(host, studio, { firstTokenMs: value, timePerOutputTokenMs: value })
      scene.answer(host, studio, { together: value })
      scene.answer(host, studio, { outputTokens: value })
    }
    scene.answers(host, studio, 40)
    const { prefillTokensPerSecond, decodeTokensPerSecond, slowdown } = scene.of(host)
    expect(timesOff(prefillTokensPerSecond, studio.prefill)).toBeLessThan(1.15)
    expect(timesOff(decodeTokensPerSecond, studio.decode)).toBeLessThan(1.1)
    expect(Math.abs(slowdown - studio.slowdown)).toBeLessThan(0.12)
  })

  it('answers that take no time, or get faster the more there are, leave speeds that can be reckoned with', () => {
    const scene = new Scene()
    const [instant, strange] = [knownHost('instant'), knownHost('strange')]
    scene.answers(instant, mini, 50, { firstTokenMs: 1e-9, timePerOutputTokenMs: 1e-9 })
    for (let index = 0; index < 50; index++) {
      const together = 1 + (index % 8)
      scene.answer(strange, mini, { together, timePerOutputTokenMs: 100 / together ** 2, firstTokenMs: 1 })
    }
    for (const host of [instant, strange]) {
      const speed = scene.of(host)
      for (const value of [speed.prefillTokensPerSecond, speed.decodeTokensPerSecond]) {
        expect(value).toBeGreaterThan(0)
        expect(value).toBeLessThanOrEqual(1_000_001)
      }
      expect(speed.slowdown).toBeGreaterThanOrEqual(0)
      expect(speed.slowdown).toBeLessThanOrEqual(1)
    }
  })
})

describe('a host that changes', () => {
  it('and is five times slower from now on is found out within four answers, one after the other', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answers(host, studio, 40)
    const slow = { prefill: studio.prefill / 5, decode: studio.decode / 5, slowdown: studio.slowdown }
    scene.answers(host, slow, 4)
    expect(scene.of(host).decodeTokensPerSecond).toBeLessThan(studio.decode / 2)
    scene.answers(host, slow, 16)
    expect(timesOff(scene.of(host).decodeTokensPerSecond, slow.decode)).toBeLessThan(1.25)
    expect(timesOff(scene.of(host).prefillTokensPerSecond, slow.prefill)).toBeLessThan(1.35)
  })

  it('a little is followed as its answers come', () => {
    const scene = new Scene()
    const host = knownHost('studio')
    scene.answers(host, studio, 40)
    scene.answers(host, { ...studio, decode: studio.decode / 2 }, 60)
    expect(timesOff(scene.of(host).decodeTokensPerSecond, studio.decode / 2)).toBeLessThan(1.2)
  })

  it('unseen is as believed again after some hours, so that one that once was slow is tried', () => {
    const scene = new Scene()
    const host = knownHost('mini')
    scene.answers(host, mini, 40)
    const apart = () => Math.log(assumedSpeed.decodeTokensPerSecond / scene.of(host).decodeTokensPerSecond)
    const { samples } = scene.of(host)
    const before = apart()
    scene.clock.advanceSync(30 * minuteMs)
    expect(scene.of(host).samples).toBeCloseTo(samples / 2)
    expect(apart()).toBeGreaterThan(before * 0.9)
    scene.clock.advanceSync(5 * 60 * minuteMs)
    expect(apart()).toBeLessThan(before * 0.1)
  })
})

describe('what is believed of a host before it answers', () => {
  it('is what the same model is like at others, between them where they are unlike', () => {
    const scene = new Scene()
    const [a, b, unknown] = [knownHost('a'), knownHost('b'), knownHost('unknown')]
    scene.answers(a, studio, 40)
    expect(timesOff(scene.of(unknown).decodeTokensPerSecond, studio.decode)).toBeLessThan(1.1)
    scene.answers(b, mini, 40)
    const between = Math.sqrt(studio.decode * mini.decode)
    expect(timesOff(scene.of(unknown).decodeTokensPerSecond, between)).toBeLessThan(1.1)
    expect(scene.of(unknown).samples).toBe(0)
  })

  it('is what the host is like with another model, where no other has this one', () => {
    const scene = new Scene()
    const host = knownHost('mini')
    scene.answers(host, mini, 40, { model: 'other' })
    expect(timesOff(scene.of(host).decodeTokensPerSecond, mini.decode)).toBeLessThan(1.6)
    scene.answers(knownHost('studio'), studio, 40)
    scene.clock.advanceSync(1_000)
    expect(timesOff(scene.of(host).decodeTokensPerSecond, studio.decode)).toBeLessThan(1.25)
  })

  it('is reckoned once a second and not for each choice', () => {
    const scene = new Scene()
    const [host, other] = [knownHost('mini'), knownHost('studio')]
    scene.answers(host, mini, 40, { model: 'other' })
    scene.answers(other, studio, 5)
    scene.clock.advanceSync(1_000)
    const believed = scene.of(host)
    scene.speeds.observe(other, 'm', {
      inputRead: 2_000,
      inputAhead: 0,
      firstTokenMs: 1_000,
      timePerOutputTokenMs: 5,
      outputTokens: 300,
      together: 1,
      beganAtMs: 0,
    })
    expect(scene.of(host)).toBe(believed)
    scene.clock.advanceSync(1_000)
    expect(scene.of(host).decodeTokensPerSecond).toBeGreaterThan(believed.decodeTokensPerSecond)
    // Of a host that is no more nothing is left: its name may be that of another machine.
    scene.speeds.forget(host)
    expect(scene.of(host)).toEqual(scene.of(knownHost('unknown')))
  })

  it('is nothing that short prompts have told of how fast others read', () => {
    const scene = new Scene()
    scene.answers(knownHost('short'), { ...studio, fixedMs: 400 }, 200, { inputRead: 20 })
    scene.answers(knownHost('mini'), mini, 40)
    expect(timesOff(scene.of(knownHost('unknown')).prefillTokensPerSecond, mini.prefill)).toBeLessThan(1.3)
  })

  it('is equal for hosts of which nothing is known, whenever each is asked about', () => {
    const scene = new Scene()
    const [a, b, known] = [knownHost('a'), knownHost('b'), knownHost('known')]
    for (let index = 0; index < 20; index++) {
      scene.answer(known, mini)
      const first = scene.of(a)
      scene.clock.advanceSync(300)
      scene.of(b)
      scene.answer(known, mini)
      expect(scene.of(b)).toEqual(scene.of(a))
      expect(scene.of(b)).not.toEqual(first)
    }
  })
})

describe('what is kept', () => {
  it('is told for each host and model of which anything was learned', () => {
    const scene = new Scene()
    const [a, b] = [knownHost('a'), knownHost('b')]
    scene.answers(a, studio, 2)
    scene.answers(a, studio, 2, { model: 'other' })
    scene.answers(b, mini, 2)
    expect([...scene.speeds.all()]).toEqual([
      { host: a, model: 'm', speed: scene.of(a) },
      { host: a, model: 'other', speed: scene.of(a, 'other') },
      { host: b, model: 'm', speed: scene.of(b) },
    ])
  })

  it('is gone with the host', () => {
    const scene = new Scene()
    const host = knownHost('a')
    scene.answers(host, mini, 40)
    scene.speeds.forget(host)
    expect([...scene.speeds.all()]).toEqual([])
    expect(scene.of(host)).toEqual(assumedSpeed)
  })

  it('is 64 models of a host, of which the one that answered longest ago makes room', () => {
    const scene = new Scene()
    const host = knownHost('a')
    for (let index = 0; index < 64; index++) scene.answer(host, mini, { model: `m${index}` })
    scene.answer(host, mini, { model: 'm0' })
    expect([...scene.speeds.all()]).toHaveLength(64)
    scene.answer(host, mini, { model: 'm64' })
    const models = [...scene.speeds.all()].map(({ model }) => model)
    expect(models).toHaveLength(64)
    expect(models).not.toContain('m1')
    expect(models).toEqual(expect.arrayContaining(['m0', 'm2', 'm64']))
  })
})
