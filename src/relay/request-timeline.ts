/** When what happened to a request: its phases, added up, and its attempts. */
import type { DecisionRecord } from '../balancing/events.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { HostKindName } from '../hosts/kinds/host-kind.ts'
import type { AttemptOutcome, FirstTokenParts, Phase, TimeSpent } from './outcome.ts'

/** A request that is sent back often is told of by its last attempts. */
const attemptsKept = 16
const none: Attempt[] = []

/** As long as it runs, it ends when it began. */
type Attempt = { -readonly [Field in keyof AttemptOutcome]: AttemptOutcome[Field] }

export interface AttemptBeginning {
  readonly host: string
  readonly kind: HostKindName | null
  /** Name of the model there. */
  readonly model: string
  readonly reason: string
  readonly decision: DecisionRecord | null
  readonly spanId: string | null
}

/** Times are monotonic ms. */
export class RequestTimeline {
  readonly #acceptedAtMs: number
  readonly #ms: Record<Phase, number> = { R: 0, A: 0, Q: 0, C: 0, H: 0, F: 0, D: 0, L: 0 }
  #attempts: Attempt[] = none
  /** That which has not ended. */
  #running: Attempt | null = null
  #lostMs = 0
  /** Of the last attempt; null until its first content was seen. */
  #prefillMs: number | null = null
  #phase: Phase = 'R'
  #sinceMs: number
  /** Its client is gone, and whatever follows is none of its time. */
  #stopped = false

  constructor(acceptedAtMs: number) {
    this.#acceptedAtMs = acceptedAtMs
    this.#sinceMs = acceptedAtMs
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Since when it is in its phase. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** When the last attempt began, since the request was accepted. */
  get lastBeganMs(): number {
    return this.#attempts.at(-1)?.beganMs ?? 0
  }

  enter(phase: Phase, nowMs: number): void {
    this.#countUp(nowMs)
    this.#phase = phase
    const attempt = this.#running
    if (attempt === null || this.#stopped) return
    if (phase === 'H') attempt.sentMs = nowMs - this.#acceptedAtMs
    if (phase === 'F') attempt.headMs = nowMs - this.#acceptedAtMs
  }

  /** Its client is gone; what is still read of its answer is not told of. */
  stop(nowMs: number): void {
    this.#countUp(nowMs)
    this.#stopped = true
  }

  attemptBegan({ host, kind, model, reason, decision, spanId }: AttemptBeginning, nowMs: number): void {
    const beganMs = nowMs - this.#acceptedAtMs
    this.#running = {
      host,
      kind,
      model,
      reason,
      decision,
      spanId,
      beganMs,
      sentMs: null,
      headMs: null,
      endedMs: beganMs,
      failure: null,
    }
    // A list of its own length: most hold one attempt, and those of requests that ended are kept for a while.
    if (this.#attempts === none) this.#attempts = [this.#running]
    else this.#attempts = [...this.#attempts.slice(1 - attemptsKept), this.#running]
  }

  /** The first content is seen: a moment before its bytes go out, and perhaps behind others that say nothing. */
  contentBegan(nowMs: number): void {
    if (this.#stopped) return
    this.#countUp(nowMs)
    this.#prefillMs = this.#ms.F + this.#ms.D
    this.#ms.F = 0
    this.#ms.D = 0
  }

  /** By now; whole once content began. */
  get toFirstToken(): FirstTokenParts {
    const { R, A, Q, C, H, F } = this.#ms
    const prefillMs = this.#prefillMs ?? F
    return { readMs: R, limitMs: A, queueMs: Q, lostMs: this.#lostMs, hostMs: C + H, prefillMs }
  }

  /** The attempt under way came to nothing, and the request goes on: the time it took is lost. */
  attemptLost(failure: ErrorCode | 'given_back', nowMs: number): void {
    this.#countUp(nowMs)
    this.#lostMs += this.#ms.C + this.#ms.H + (this.#prefillMs ?? 0) + this.#ms.F
    this.#prefillMs = null
    this.#ms.C = 0
    this.#ms.H = 0
    this.#ms.F = 0
    this.#attemptEnded(failure, nowMs)
  }

  #attemptEnded(failure: AttemptOutcome['failure'], nowMs: number): void {
    const attempt = this.#running
    if (attempt === null) return
    attempt.endedMs = nowMs - this.#acceptedAtMs
    attempt.failure = failure
    this.#running = null
  }

  /** All of it, at the end of the request, which may be an error of its last attempt. */
  ended(
    endedAtMs: number,
    failure: ErrorCode | null,
  ): { readonly spent: TimeSpent; readonly attempts: readonly AttemptOutcome[] } {
    this.#countUp(endedAtMs)
    const { R, A, Q, C, H, F, D, L } = this.#ms
    const prefillMs = this.#prefillMs
    const spent = {
      readMs: R,
      limitMs: A,
      queueMs: Q,
      lostMs: this.#lostMs,
      hostMs: C + H,
      prefillMs: prefillMs ?? F,
      contentMs: prefillMs === null ? D : F + D,
      lastMs: L,
    }
    this.#attemptEnded(failure, endedAtMs)
    return { spent, attempts: this.#attempts }
  }

  /** Adds to the phase it is in what has passed by now. */
  #countUp(nowMs: number): void {
    if (this.#stopped) return
    this.#ms[this.#phase] += nowMs - this.#sinceMs
    this.#sinceMs = nowMs
  }
}
