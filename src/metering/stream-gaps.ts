/** Gaps between the pieces of content of running streams, by model and host: a comparison and at times an addition each. */
import { classOf } from '../base/classes.ts'
import { BoundedPairs } from './bounded-pairs.ts'
import { type GapTotals, gapEdgesSeconds, gapSampleEvery } from './events.ts'

const edgesMs = gapEdgesSeconds.map((seconds) => seconds * 1_000)

/** Those of one (model, host). */
export class Gaps implements GapTotals {
  readonly model: string
  readonly host: string
  readonly counts = new Float64Array(edgesMs.length + 1)
  stalls = 0
  readonly #stallMs: number
  #sumMs = 0
  #untilSample = 1
  #random = 1

  constructor(model: string, host: string, stallMs: number) {
    this.model = model
    this.host = host
    this.#stallMs = stallMs
  }

  get sumSeconds(): number {
    return this.#sumMs / 1_000
  }

  /** Between one piece of content and the next. */
  seen(gapMs: number): void {
    this.stoodStill(gapMs)
    if (--this.#untilSample > 0) return
    this.#untilSample = this.#nextStride()
    this.#sumMs += gapMs
    const at = classOf(gapMs, edgesMs)
    this.counts[at] = (this.counts[at] ?? 0) + 1
  }

  /** Nothing came for so long, whether something follows or the stream ended so. */
  stoodStill(ms: number): void {
    if (ms > this.#stallMs) this.stalls++
  }

  /** By lot: hosts that send in bursts of 2, 4 or 8 would meet a fixed stride with the same gap of each burst for ever. */
  #nextStride(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return 1 + Math.floor((this.#random / 0x1_0000_0000) * (2 * gapSampleEvery - 1))
  }
}

export class StreamGaps implements Iterable<GapTotals> {
  readonly #gaps: BoundedPairs<Gaps>

  /** `stallMs`: a longer gap is a stall. */
  constructor({ stallMs }: { readonly stallMs: number }) {
    this.#gaps = new BoundedPairs((model, host) => new Gaps(model, host, stallMs))
  }

  of(model: string, host: string): Gaps {
    return this.#gaps.of(model, host)
  }

  [Symbol.iterator](): Iterator<GapTotals> {
    return this.#gaps[Symbol.iterator]()
  }
}
