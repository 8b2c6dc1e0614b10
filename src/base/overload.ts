/** Tells in stages how short of memory and processor time the process is; what is refused at each is up to whoever asks. */
import type { Clock, Timer } from './clock.ts'
import { GatewayError } from './errors.ts'
import type { Log } from './log.ts'
import type { OverloadOptions } from './options.ts'
import type { PressureSource } from './pressure.ts'

/** none: all is well. tight: nobody new may wait, connections are not kept. shed: newcomers are refused. */
export type OverloadStage = 'none' | 'tight' | 'shed'

export interface OverloadParts {
  readonly clock: Clock
  readonly log: Log
  readonly pressure: PressureSource
}

const sampleEveryMs = 500
/** The heap must be this much below a limit before its stage ends, so that a stage does not flap. */
const recoveryPercent = 5
/** Likewise the delay of the event loop. */
const recoveryLagShare = 0.5
/**
 * What lives is only known after a full collection, and a gateway that refuses everybody allocates so little that the
 * next one may never come. So a reading of this age counts one stage less: either the heap is full, and those who are
 * let in soon cause a collection that says so, or it is not.
 */
const readingMsMax = 10_000

export class Overload {
  #options: OverloadOptions
  readonly #parts: OverloadParts
  #stage: OverloadStage = 'none'
  #heapStage: OverloadStage = 'none'
  #heapSeenAtMs = 0
  #lagging = false
  /** Since when the loop has been saying the opposite of `#lagging`. */
  #otherwiseSinceMs: number | null = null
  #lagMs = 0
  #timer: Timer | null = null

  constructor(options: OverloadOptions, parts: OverloadParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Holds from the next sample on. */
  adopt(options: OverloadOptions): void {
    this.#options = options
  }

  get stage(): OverloadStage {
    return this.#stage
  }

  /** Mean delay of the event loop's turns when they were last looked at. */
  get lagMs(): number {
    return this.#lagMs
  }

  /** Why a newcomer is refused now, or null. */
  refusal(): GatewayError | null {
    return this.#stage === 'shed' ? overloaded() : null
  }

  /** Why a request that found no slot may not wait for one now, or null. */
  noWaiting(): GatewayError | null {
    return this.#stage === 'none' ? null : overloaded()
  }

  start(): void {
    this.#parts.pressure.start()
    this.#sampleLater()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#parts.pressure.stop()
  }

  #sampleLater(): void {
    this.#timer = this.#parts.clock.after(sampleEveryMs, () => {
      this.#sample()
      this.#sampleLater()
    })
  }

  #sample(): void {
    const { livePercent, lagMs } = this.#parts.pressure.read()
    this.#lagMs = lagMs
    const now = this.#parts.clock.now()
    this.#lookAtHeap(livePercent, now)
    this.#lookAtLag(lagMs, now)
    const stage = this.#lagging ? 'shed' : this.#heapStage
    if (stage === this.#stage) return
    this.#stage = stage
    const level = stage === 'none' ? 'info' : 'warn'
    this.#parts.log(level, stageSentences[stage], {
      stage,
      livePercent: livePercent === null ? undefined : Math.round(livePercent),
      lagMs: Math.round(lagMs),
    })
  }

  #lookAtHeap(livePercent: number | null, now: number): void {
    if (livePercent !== null) this.#heapStage = this.#heapStageAt(livePercent)
    else if (this.#heapStage === 'none' || now - this.#heapSeenAtMs < readingMsMax) return
    else this.#heapStage = this.#heapStage === 'shed' ? 'tight' : 'none'
    this.#heapSeenAtMs = now
  }

  #heapStageAt(livePercent: number): OverloadStage {
    const { tightHeapPercent, shedHeapPercent } = this.#options
    const shedFrom = this.#heapStage === 'shed' ? shedHeapPercent - recoveryPercent : shedHeapPercent
    const tightFrom = this.#heapStage === 'none' ? tightHeapPercent : tightHeapPercent - recoveryPercent
    if (livePercent >= shedFrom) return 'shed'
    return livePercent >= tightFrom ? 'tight' : 'none'
  }

  /** One long block, such as a laptop that slept, is one sample: only samples over `shedLagForMs` that agree count. */
  #lookAtLag(lagMs: number, now: number): void {
    const { shedLagMs, shedLagForMs } = this.#options
    const slow = lagMs >= (this.#lagging ? shedLagMs * recoveryLagShare : shedLagMs)
    if (slow === this.#lagging) this.#otherwiseSinceMs = null
    else if (this.#otherwiseSinceMs === null) this.#otherwiseSinceMs = now
    else if (now - this.#otherwiseSinceMs >= shedLagForMs) {
      this.#lagging = slow
      this.#otherwiseSinceMs = null
    }
  }
}

const stageSentences: Readonly<Record<OverloadStage, string>> = {
  none: 'the gateway has room again',
  tight: 'the gateway is short of memory: nobody new may wait',
  shed: 'the gateway is overloaded: newcomers are refused',
}

function overloaded(): GatewayError {
  return new GatewayError('overloaded', 'The gateway is short of memory or processor time; try again later.')
}
