/** What the probe of the event loop remembers: the longest turns, with the garbage collection in each. Times in ms. */
import { constants } from 'node:perf_hooks'

export type AskedOfProbe = { readonly ask: 'turns' | 'memory' }

export interface LoopTurn {
  /** When it ended, on the process's own clock (`performance.now()`). */
  readonly endedMs: number
  /** Processor time of the main thread in it. */
  readonly heldMs: number
  /** Of that, garbage collection that stopped the thread. */
  readonly gcMs: number
}

export interface GcPauses {
  readonly count: number
  readonly totalMs: number
  readonly longestMs: number
}

/** Since it was asked last. */
export interface ToldByProbe {
  /** The longest first. */
  readonly longest: readonly LoopTurn[]
  /** Turns that held longer than `heldMsMax`. */
  readonly over: number
  readonly gc: { readonly young: GcPauses; readonly old: GcPauses }
}

/** As node:perf_hooks tells it. */
export interface GcEntry {
  readonly startTime: number
  readonly duration: number
  readonly detail?: { readonly kind?: number }
}

/** A stream that waits longer than this for another request is held up (done line 3 of the figures to reach). */
export const heldMsMax = 5
const turnsKept = 20
/** Garbage collections that are remembered until they are asked for; some minutes' worth. */
const pausesKept = 20_000

interface Pause {
  readonly beganMs: number
  readonly endedMs: number
  readonly young: boolean
}

export class LoopTurns {
  /** The longest first. */
  #longest: { readonly endedMs: number; readonly heldMs: number; readonly beganMs: number }[] = []
  #over = 0
  #pauses: Pause[] = []

  /** A turn that ended at `endedMs`; `wallMs` includes what was waited or taken away in it. */
  held(endedMs: number, heldMs: number, wallMs: number): void {
    if (heldMs > heldMsMax) this.#over++
    const shortest = this.#longest.at(-1)?.heldMs ?? 0
    if (this.#longest.length === turnsKept && heldMs <= shortest) return
    const at = this.#longest.findIndex((turn) => turn.heldMs < heldMs)
    this.#longest.splice(at === -1 ? this.#longest.length : at, 0, { endedMs, heldMs, beganMs: endedMs - wallMs })
    if (this.#longest.length > turnsKept) this.#longest.pop()
  }

  collected({ startTime, duration, detail }: GcEntry): void {
    if (this.#pauses.length === pausesKept) return
    const young = detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR
    this.#pauses.push({ beganMs: startTime, endedMs: startTime + duration, young })
  }

  /** Forgets what it told. */
  take(): ToldByProbe {
    const told = {
      longest: this.#longest.map(({ beganMs, endedMs, heldMs }) => ({
        endedMs,
        heldMs,
        gcMs: Math.min(heldMs, this.#collectedBetween(beganMs, endedMs)),
      })),
      over: this.#over,
      gc: { young: pausesOf(this.#pauses, true), old: pausesOf(this.#pauses, false) },
    }
    this.#longest = []
    this.#over = 0
    this.#pauses = []
    return told
  }

  #collectedBetween(beganMs: number, endedMs: number): number {
    return this.#pauses.reduce(
      (sum, pause) => sum + Math.max(0, Math.min(endedMs, pause.endedMs) - Math.max(beganMs, pause.beganMs)),
      0,
    )
  }
}

function pausesOf(pauses: readonly Pause[], young: boolean): GcPauses {
  const lengths = pauses.filter((pause) => pause.young === young).map(({ beganMs, endedMs }) => endedMs - beganMs)
  const totalMs = lengths.reduce((sum, ms) => sum + ms, 0)
  return { count: lengths.length, totalMs, longestMs: lengths.reduce((most, ms) => Math.max(most, ms), 0) }
}
