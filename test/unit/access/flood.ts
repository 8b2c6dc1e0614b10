/** A flood of chat requests against one limiter, in simulated time: for the bounds that hold whatever is asked. */

import { Estimates } from '../../../src/access/estimates.ts'
import { Limiter } from '../../../src/access/limiter.ts'
import type { Limits } from '../../../src/access/limits.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import { Reservation } from '../../../src/access/reservation.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { type Random, seeded, sizeOfRequest } from './request-sizes.ts'

export interface FloodSettings {
  readonly tokensPerMinute: number
  /** Tokens asked for, in multiples of the limit. */
  readonly offered: number
  readonly minutes: number
  readonly seed: number
  /** How often a refused client comes back when it is told to; the official ones twice. */
  readonly retries: number
  /** By so many keys of a team that has the limit; by one key of its own without. */
  readonly members?: number
}

export interface Share {
  readonly asked: number
  readonly admitted: number
}

export interface FloodResult {
  /** By multiples of the limit: the largest sum of any 60 s, and the mean after the first minute. */
  readonly charged: { readonly worst: number; readonly long: number }
  readonly used: { readonly worst: number; readonly long: number }
  readonly shares: { readonly small: Share; readonly middle: Share; readonly large: Share }
  readonly tries: number
}

/** Sizes in tokens: one in five is small, one in twelve large. */
const smallMax = 500
const largeMin = 3_750

const tokensPerSecond = 30
const firstTokenMs = 500
const windowMs = 60_000

export class ManualClock implements Clock {
  ms = 1_000
  now(): number {
    return this.ms
  }
  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.ms
  }
  after(): never {
    throw new Error('a limiter waits for nothing')
  }
  afterTurn(): never {
    throw new Error('a limiter waits for nothing')
  }
}

export function flood(settings: FloodSettings): FloodResult {
  return new Flood(settings).run()
}

class Flood {
  readonly #settings: FloodSettings
  readonly #random: Random
  readonly #clock = new ManualClock()
  readonly #estimates = new Estimates(100)
  readonly #limiter: Limiter
  readonly #limits: Limits
  readonly #events = new Events()
  readonly #charged: Point[] = []
  readonly #used: Point[] = []
  readonly #shares = { small: tally(), middle: tally(), large: tally() }
  #tries = 0

  constructor(settings: FloodSettings) {
    this.#settings = settings
    this.#random = seeded(settings.seed)
    this.#limits = { tokensPerMinute: settings.tokensPerMinute }
    this.#limiter = new Limiter({
      clock: this.#clock,
      limits: limitsOptions.parse({}),
      teams: { ml: { tokensPerMinute: settings.tokensPerMinute } },
      chance: this.#random,
    })
  }

  run(): FloodResult {
    const { tokensPerMinute, offered, minutes } = this.#settings
    const endMs = minutes * windowMs
    const meanGapMs = windowMs / ((offered * tokensPerMinute) / meanTokens)
    for (let atMs = 0; atMs < endMs; atMs += -Math.log(1 - this.#random()) * meanGapMs) {
      this.#events.add(atMs, () => this.#arrive())
    }
    this.#events.run((atMs) => {
      this.#clock.ms = 1_000 + atMs
    })
    const figures = (points: readonly Point[]) => ({
      worst: worstWindow(points) / tokensPerMinute,
      long: sumOf(points, windowMs, endMs) / tokensPerMinute / (minutes - 1),
    })
    return {
      charged: figures(this.#charged),
      used: figures(this.#used),
      shares: this.#shares,
      tries: this.#tries,
    }
  }

  #arrive(): void {
    const { input, output } = sizeOfRequest(this.#random)
    // What a tokenizer makes of a text varies by its language.
    const bytes = Math.ceil(input * (3.6 + 1.2 * this.#random()))
    const share = this.#shares[input + output < smallMax ? 'small' : input + output < largeMin ? 'middle' : 'large']
    share.asked += 1
    const subject = this.#subject()
    const attempt = (retriesLeft: number): void => {
      this.#tries += 1
      const asked = {
        who: subject.keyId,
        model: 'm',
        endpoint: 'chat_completions',
        body: zeros.subarray(0, bytes),
      } as const
      const { expected, learn } = this.#estimates.expect({
        ...asked,
        maxOutputTokens: null,
        leastOutputTokens: null,
        choices: 1,
      })
      const cost = { requests: 1, ...expected }
      const answer = this.#limiter.ask(subject, cost)
      if (answer instanceof Reservation) {
        share.admitted += 1
        this.#serve(answer, { input, output, expected }, learn)
      } else {
        const waitMs = this.#limiter.refuse(subject, cost, answer).retryAfterMs ?? 0
        if (retriesLeft > 0 && waitMs <= windowMs) this.#events.add(this.#atMs + waitMs, () => attempt(retriesLeft - 1))
      }
    }
    attempt(this.#settings.retries)
  }

  #subject() {
    const { members } = this.#settings
    if (members === undefined) return { keyId: 'k', name: 'k', team: null, limits: this.#limits }
    const keyId = `k${Math.floor(this.#random() * members)}`
    return { keyId, name: keyId, team: 'ml', limits: noLimits }
  }

  get #atMs(): number {
    return this.#clock.ms - 1_000
  }

  #serve(
    reservation: Reservation,
    { input, output, expected }: { input: number; output: number; expected: { input: number; output: number } },
    learn: (used: { input: number; cachedInput: number; output: number; reasoning: number }) => void,
  ): void {
    const startMs = this.#atMs
    this.#used.push({ atMs: startMs, tokens: input + output })
    const charges = [{ atMs: startMs, tokens: expected.input + expected.output }]
    this.#charged.push(...charges)
    const timeOf = (token: number) => startMs + firstTokenMs + (token / tokensPerSecond) * 1_000
    const topUp = (from: number): void => {
      const upTo = reservation.topUp(from)
      // Its last token came at this very time, and it was settled first.
      if (upTo < from) return
      const charge = { atMs: this.#atMs, tokens: upTo - (from - 1) }
      charges.push(charge)
      this.#charged.push(charge)
      if (upTo < output) this.#events.add(timeOf(upTo + 1), () => topUp(upTo + 1))
    }
    if (reservation.output < output) {
      this.#events.add(timeOf(reservation.output + 1), () => topUp(reservation.output + 1))
    }
    this.#events.add(timeOf(output), () => {
      const used = { input, cachedInput: 0, output, reasoning: 0 }
      let back = charges.reduce((sum, { tokens }) => sum + tokens, 0) - input - output
      if (back < 0) this.#charged.push({ atMs: this.#atMs, tokens: -back })
      for (const charge of charges.toReversed()) {
        const part = Math.min(Math.max(0, back), charge.tokens)
        charge.tokens -= part
        back -= part
      }
      reservation.settle(used)
      learn(used)
    })
  }
}

interface Point {
  readonly atMs: number
  tokens: number
}

/** Of `request-sizes.ts`. */
const meanTokens = 1_366
const noLimits: Limits = {}
const zeros = Buffer.alloc(100_000)

function tally(): { asked: number; admitted: number } {
  return { asked: 0, admitted: 0 }
}

function worstWindow(points: readonly Point[]): number {
  const sorted = points.toSorted((a, b) => a.atMs - b.atMs)
  let worst = 0
  let sum = 0
  let first = 0
  for (const { atMs, tokens } of sorted) {
    sum += tokens
    for (let old = sorted[first]; old !== undefined && old.atMs <= atMs - windowMs; old = sorted[first]) {
      sum -= old.tokens
      first += 1
    }
    worst = Math.max(worst, sum)
  }
  return worst
}

function sumOf(points: readonly Point[], fromMs: number, toMs: number): number {
  let sum = 0
  for (const { atMs, tokens } of points) if (atMs >= fromMs && atMs < toMs) sum += tokens
  return sum
}

interface Event {
  readonly atMs: number
  readonly happen: () => void
}

/** By their times: a binary heap. */
class Events {
  readonly #heap: Event[] = []

  add(atMs: number, happen: () => void): void {
    const heap = this.#heap
    let i = heap.push({ atMs, happen }) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#swapIfLater(parent, i)) return
      i = parent
    }
  }

  run(setTime: (atMs: number) => void): void {
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      setTime(next.atMs)
      next.happen()
    }
  }

  #take(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    heap[0] = last
    for (let i = 0; ; ) {
      const left = 2 * i + 1
      const right = left + 1
      const child = (heap[right]?.atMs ?? Infinity) < (heap[left]?.atMs ?? Infinity) ? right : left
      if (child >= heap.length || !this.#swapIfLater(i, child)) return first
      i = child
    }
  }

  #swapIfLater(upper: number, lower: number): boolean {
    const [above, below] = [this.#heap[upper], this.#heap[lower]]
    if (above === undefined || below === undefined || above.atMs <= below.atMs) return false
    this.#heap[upper] = below
    this.#heap[lower] = above
    return true
  }
}
