/** A straight line through samples that come one after another: the older count less, and what is far off does not count. */

export interface LineSample {
  readonly x: number
  readonly y: number
  /** What the line, as far as it is known, says of `x`. */
  readonly expected: number
  /** How far off a line is that misses it by 1: differences count by their share, or what is large would outvote all else. */
  readonly scale: number
  /** Of a whole sample: one that says little moves the line less, and pushes less of the others out. */
  readonly share: number
  /** How much of it tells of the slope; the rest tells of where the line begins. */
  readonly tells: number
  /** Monotonic: samples that ran while another one was far off may all tell of the same event. */
  readonly beganAtMs: number
  readonly nowMs: number
}

/** What the line is drawn to where samples tell nothing: a form of second degree in its beginning `a` and its slope `b`. */
export interface Pull {
  readonly aa: number
  readonly ab: number
  readonly bb: number
  readonly a: number
  readonly b: number
}

export interface Line {
  readonly start: number
  readonly slope: number
}

/** So many samples are remembered, about. */
const samplesMax = 30
/** What tells nothing of the slope still pushes out so much. */
const tellsLeast = 0.1
/** A sample farther off than so many times is odd: a stall, a machine that was asleep, a prompt that a cache held after all. */
const oddFrom = 3
/** Before anything is known everything may be far off. */
const oddFromAtFirst = 12
const sureFrom = 5
/** So many odd ones in a row, none of which ran beside the one before, are no accident: the host has changed. */
const oddsOfAChange = 3
const keptOfBefore = 1 / 8

export class LearnedLine {
  #weight = 0
  #x = 0
  #xx = 0
  #y = 0
  #xy = 0
  #samples = 0
  /** More than 0: so many in a row above what was expected; less: below. */
  #odds = 0
  #lastOddAtMs = Number.NEGATIVE_INFINITY

  /** Of those that tell of the slope; the older the less. */
  get samples(): number {
    return this.#samples
  }

  /** Mean over samples of how much a difference of 1 from the line counts; 0 where there are none. */
  get meanWeight(): number {
    return this.#samples > 0 ? this.#weight / this.#samples : 0
  }

  /** Of `x`, as samples count; only where there are any. */
  get mean(): number {
    return this.#x / this.#weight
  }

  /** Likewise. */
  get variance(): number {
    return Math.max(0, this.#xx / this.#weight - this.mean ** 2)
  }

  add(sample: LineSample): void {
    const { x, y, scale, share, tells } = sample
    if (!this.#counts(sample)) return
    this.fade(1 - (share * Math.max(tells, tellsLeast)) / samplesMax)
    const weight = share / (scale * scale)
    this.#weight += weight
    this.#x += weight * x
    this.#xx += weight * x * x
    this.#y += weight * y
    this.#xy += weight * x * y
    this.#samples += share * tells
  }

  /** What there is counts so much of what it did. */
  fade(to: number): void {
    this.#weight *= to
    this.#x *= to
    this.#xx *= to
    this.#y *= to
    this.#xy *= to
    this.#samples *= to
  }

  /** Least squares. */
  fit({ aa, ab, bb, a, b }: Pull): Line {
    const m00 = this.#weight + aa
    const m01 = this.#x + ab
    const m11 = this.#xx + bb
    const r0 = this.#y + a
    const r1 = this.#xy + b
    const determinant = m00 * m11 - m01 * m01
    return { start: (r0 * m11 - r1 * m01) / determinant, slope: (r1 * m00 - r0 * m01) / determinant }
  }

  /** The best one that begins there. */
  slopeFrom(start: number): number {
    return (this.#xy - start * this.#x) / this.#xx
  }

  /** The best one that rises by `rise` of its beginning with each unit. */
  startWith(rise: number): number {
    return (this.#y + rise * this.#xy) / (this.#weight + 2 * rise * this.#x + rise * rise * this.#xx)
  }

  /** Not where it is odd, unless it is one too many. */
  #counts({ y, expected, beganAtMs, nowMs }: LineSample): boolean {
    const unsure = Math.max(0, 1 - this.#samples / sureFrom)
    const bound = oddFrom * (oddFromAtFirst / oddFrom) ** unsure
    if (y <= expected * bound && y >= expected / bound) {
      this.#odds = 0
      return true
    }
    // It tells once more of what another one has told.
    if (beganAtMs < this.#lastOddAtMs) return false
    this.#lastOddAtMs = nowMs
    const side = y > expected ? 1 : -1
    this.#odds = Math.sign(this.#odds) === side ? this.#odds + side : side
    if (Math.abs(this.#odds) < oddsOfAChange) return false
    this.#odds = 0
    this.fade(keptOfBefore)
    return true
  }
}
