/** Whether hosts that never say so keep what they were sent before, by their first tokens. */
import { describe, expect, it } from 'vitest'
import { makeBalancing } from '../../../src/balancing/balancing.ts'
import { balancingOptions } from '../../../src/balancing/options.ts'
import type { PromptPrint } from '../../../src/balancing/prompt.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'

interface Machine {
  readonly prefill: number
  readonly keeps: boolean
}

interface Turn {
  readonly isHome: boolean
  readonly ratio: number
}

const model = 'm'
const charsPerToken = 4

/** Conversations that grow, one request after the other, at a host that never tells what they had kept. */
class Scene {
  readonly clock = new FakeClock()
  readonly random = new SeededRandom(7)
  readonly #host = knownHost('a')
  machine: Machine
  readonly #balancing = makeBalancing(balancingOptions.parse({}), {
    clock: this.clock,
    chance: () => this.random.between(0, 999) / 1_000,
  })
  /** Of each conversation, how much the host has read. */
  readonly #read = new Map<number, number>()

  constructor({ a }: { a: Machine }) {
    this.machine = a
  }

  get prefill(): number {
    return this.#balancing.speeds.of(this.#host, model).prefillTokensPerSecond
  }

  /** One turn: whether its host was believed to have what came before, and how much later its first token came than foretold. */
  turn(conversation: number, messages: readonly number[], heldUpMs = 0): Turn {
    const print = printOf(conversation, messages)
    const input = print.bytes / charsPerToken
    const ask = {
      model,
      class: 'interactive' as const,
      tokens: { input, output: 20 },
      prompt: { print, session: null },
    }
    const { balancer } = this.#balancing
    const { place } = balancer.choose(ask, [{ host: this.#host, model }], { mayWait: false, waitingFor: () => 0 })!
    const assignment = balancer.begin(ask, place, { output: 20 })
    const { keeps, prefill } = this.machine
    const known = keeps ? (this.#read.get(conversation) ?? 0) : 0
    this.#read.set(conversation, input)
    const firstTokenMs = heldUpMs + (this.random.between(90, 110) / 100) * (300 + (1_000 * (input - known)) / prefill)
    this.clock.advanceSync(firstTokenMs)
    assignment.firstToken()
    this.clock.advanceSync(1_000)
    const tokens = { input: null, cachedInput: null }
    assignment.answered({ firstTokenMs, timePerOutputTokenMs: 20, wholeMs: null, tokens, outputTokens: 20 })
    assignment.end()
    const foretoldMs = 300 + (1_000 * place.uncachedTokens) / place.speed.prefillTokensPerSecond
    return { isHome: place.isHome, ratio: firstTokenMs / foretoldMs }
  }

  /** So many turns, by three new conversations in turn, which grow. `heldUp`: the share of those that were, for seconds. */
  converse(turns: number, { heldUp = 0 } = {}): Turn[] {
    const first = this.#read.size
    const all = Array.from({ length: 3 }, () => [this.random.between(750, 1_500)])
    return Array.from({ length: turns }, (_, at) => {
      const messages = all[at % all.length]!
      const isHeldUp = this.random.between(0, 99) < 100 * heldUp
      const told = this.turn(first + (at % all.length), messages, isHeldUp ? this.random.between(1_000, 20_000) : 0)
      messages.push(this.random.between(100, 400))
      return told
    })
  }
}

/** `messages`: tokens of each. */
function printOf(conversation: number, messages: readonly number[]): PromptPrint {
  const ends: number[] = []
  let at = 0
  for (const tokens of messages) ends.push((at += tokens * charsPerToken))
  return { digests: ends.map((end) => conversation * 1e9 + end), ends, bytes: at, commonCount: 0, owner: 'ann' }
}

const speeds = [225, 525, 1_500, 5_000]

describe('a host that never tells what it had kept', () => {
  it.each(speeds)('and keeps nothing is soon no home, and what it reads at %i tokens/s is learned right', (prefill) => {
    const scene = new Scene({ a: { prefill, keeps: false } })
    const turns = scene.converse(40)
    // Each of three conversations is at home there with its second turn, until some 20 answers have told otherwise.
    expect(turns.slice(3, 13).every(({ isHome }) => isHome)).toBe(true)
    expect(turns.slice(34).some(({ isHome }) => isHome)).toBe(false)
    const later = scene.converse(60)
    expect(later.some(({ isHome }) => isHome)).toBe(false)
    expect(scene.prefill / prefill).within(0.75, 1.35)
    expect(median(later.map(({ ratio }) => ratio))).within(0.75, 1.35)
  })

  it.each(speeds)('and keeps all of it stays the home of its conversations: %i tokens/s', (prefill) => {
    const scene = new Scene({ a: { prefill, keeps: true } })
    const turns = scene.converse(120)
    expect(turns.slice(3).every(({ isHome }) => isHome)).toBe(true)
    expect(median(turns.slice(60).map(({ ratio }) => ratio))).within(0.75, 1.35)
  })

  it.each(speeds)('is told from one that does by prompts that are all equally long, too: %i tokens/s', (prefill) => {
    const homes = [false, true].map((keeps) => {
      const scene = new Scene({ a: { prefill, keeps } })
      // Six that are new, and from then on always the same ones.
      const turns = Array.from({ length: 60 }, (_, at) => scene.turn(at % 6, at < 6 ? [4_000] : [4_000, 100]))
      return turns.slice(40).filter(({ isHome }) => isHome).length
    })
    expect(homes).toEqual([0, 20])
  })

  it('and was held up by something else now and then stays the home of its conversations', () => {
    const scene = new Scene({ a: { prefill: 900, keeps: true } })
    const turns = scene.converse(120, { heldUp: 0.15 })
    expect(turns.slice(3).every(({ isHome }) => isHome)).toBe(true)
  })

  it('and begins to keep what it reads is a home again', () => {
    const scene = new Scene({ a: { prefill: 900, keeps: false } })
    scene.converse(60)
    scene.machine = { prefill: 900, keeps: true }
    const turns = scene.converse(60)
    expect(turns.slice(-20).every(({ isHome }) => isHome)).toBe(true)
  })
})

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
