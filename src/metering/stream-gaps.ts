/** Gaps between the pieces of content of running streams, by model and host: a comparison and at times an addition each. */
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
  #untilSample = gapSampleEvery

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
    if (gapMs > this.#stallMs) this.stalls++
    if (--this.#untilSample > 0) return
    this.#untilSample = gapSampleEvery
    this.#sumMs += gapMs
    const at = classOf(gapMs)
    this.counts[at] = (this.counts[at] ?? 0) + 1
  }
}

/** Models and hosts are configured or listed by hosts; past so many pairs of them all others are one. */
const pairsMax = 1_000
const other = 'other'

export class StreamGaps implements Iterable<GapTotals> {
  readonly #stallMs: number
  readonly #gaps = new Map<string, Gaps>()

  /** `stallMs`: a longer gap is a stall. */
  constructor({ stallMs }: { readonly stallMs: number }) {
    this.#stallMs = stallMs
  }

  of(model: string, host: string): Gaps {
    const id = JSON.stringify([model, host])
    return this.#gaps.get(id) ?? (this.#gaps.size < pairsMax ? this.#made(id, model, host) : this.#others())
  }

  [Symbol.iterator](): Iterator<GapTotals> {
    return this.#gaps.values()
  }

  #others(): Gaps {
    return this.#gaps.get(other) ?? this.#made(other, other, other)
  }

  #made(id: string, model: string, host: string): Gaps {
    const gaps = new Gaps(model, host, this.#stallMs)
    this.#gaps.set(id, gaps)
    return gaps
  }
}

/** The first class whose edge is not below it. */
function classOf(gapMs: number): number {
  let from = 0
  let to = edgesMs.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (gapMs <= (edgesMs[middle] ?? 0)) to = middle
    else from = middle + 1
  }
  return from
}
