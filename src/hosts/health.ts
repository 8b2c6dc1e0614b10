/** How much work one host may be given now, by how its requests end; probes are judged apart, by the host itself. */
import type { Clock, Timer } from '../base/clock.ts'
import { BackPressure } from './back-pressure.ts'
import { Breaker } from './breaker.ts'
import type { HealthOptions } from './options.ts'
import { msToNextSlot, slowStartSlots } from './slow-start.ts'

/** How an attempt ended, as far as its host is to answer for it. */
export type AttemptVerdict =
  | { readonly kind: 'ok' }
  /** No answer, or a part of one: the connection was lost. */
  | { readonly kind: 'lost' }
  /** A 5xx, an error told in an answer, junk, silence. */
  | { readonly kind: 'failed' }
  /** The host is sound and has no room; null when it did not say for how long. */
  | { readonly kind: 'busy'; readonly retryAfterMs: number | null }
  /** Says nothing about the host: a 4xx, a client that left. */
  | { readonly kind: 'neutral' }

export interface HealthParts {
  readonly clock: Clock
  /** A number in [0, 1), as Math.random. */
  readonly chance: () => number
  /** The host's slots if nothing were wrong. */
  readonly slots: () => number
  /** Requests at the host. */
  readonly leases: () => number
  /** False when so many hosts are out that this one must stay in the choice. */
  readonly mayEject: () => boolean
  readonly onEjected: (forMs: number) => void
  /** The host refused a request, whose lease is still held, because it has no room. */
  readonly onBusy: () => void
  /** The host may take more than before, or was ejected, or its ejection has ended. */
  readonly onChange: () => void
}

/** An ejected host that is needed all the same gets one request per so much time, until one succeeds. */
const trickleMs = 1_000

export class Health {
  readonly #parts: HealthParts
  #slowStartMs: number
  readonly #breaker: Breaker
  readonly #backPressure: BackPressure
  #timer: Timer | null = null
  #upAgainAtMs: number | null = null
  #throttled = false
  /** Requests that went well, ever. */
  served = 0
  /** The last request let through while ejected; before the first, the ejection itself. */
  #trickledAtMs = 0
  #trickled = false
  /** When the first connection was lost since anything went well. */
  #lostAtMs: number | null = null

  constructor({ ejectMs, slowStartMs }: HealthOptions, parts: HealthParts) {
    this.#parts = parts
    this.#slowStartMs = slowStartMs
    this.#breaker = new Breaker({ ejectMs, proofMs: slowStartMs }, parts.clock, parts.chance)
    this.#backPressure = new BackPressure(parts.clock)
  }

  /** Holds for the next ejection and from the last return on. */
  adopt({ ejectMs, slowStartMs }: HealthOptions): void {
    this.#slowStartMs = slowStartMs
    this.#breaker.adopt({ ejectMs, proofMs: slowStartMs })
    this.reschedule()
  }

  /** Its requests failed one after the other: whoever can goes elsewhere. */
  get ejected(): boolean {
    return this.#breaker.open
  }

  /** Ejected, but too many hosts are: it stays in the choice, for a trickle. */
  get throttled(): boolean {
    return this.#throttled && this.#breaker.open
  }

  /** Slots that may be used now; a pause and the trickle come on top. */
  get limit(): number {
    const slots = this.#parts.slots()
    const sinceMs = this.#sinceReturnMs()
    const started = sinceMs === null ? slots : slowStartSlots(slots, sinceMs, this.#slowStartMs)
    return Math.min(started, this.#backPressure.slots(slots))
  }

  /** How long nothing new is given to the host, however many slots are free; 0 when it takes work now. */
  get busyForMs(): number {
    return Math.max(this.#backPressure.pausedForMs, this.#trickleInMs())
  }

  /** Until a host that fell during its slow start may be up again; 0 when it may at once. */
  get unprovenForMs(): number {
    if (this.#upAgainAtMs === null) return 0
    return Math.max(0, this.#upAgainAtMs + this.#slowStartMs - this.#parts.clock.now())
  }

  /** To be called once per attempt, while its lease is still held. */
  attemptEnded(verdict: AttemptVerdict): void {
    const ejectedBefore = this.ejected
    switch (verdict.kind) {
      case 'ok':
        this.served++
        this.#lostAtMs = null
        this.#backPressure.succeeded()
        this.#breaker.succeeded(this.#trickled)
        break
      case 'lost':
        this.#lostAtMs ??= this.#parts.clock.now()
        this.#failed(verdict.kind)
        break
      case 'failed':
        this.#failed(verdict.kind)
        break
      case 'busy':
        this.#backPressure.busy(verdict.retryAfterMs, this.#parts.leases(), this.#parts.slots())
        this.#parts.onBusy()
        break
      case 'neutral':
        return
    }
    this.reschedule()
    if (this.ejected !== ejectedBefore) this.#parts.onChange()
  }

  /** It lost another connection within the last so many ms, and nothing has gone well since: all that it had then falls with it. */
  fellWithin(ms: number): boolean {
    return this.#lostAtMs !== null && this.#parts.clock.now() - this.#lostAtMs <= ms
  }

  /** The host was given a request. */
  attemptBegan(): void {
    if (!this.#breaker.open) return
    this.#trickledAtMs = this.#parts.clock.now()
    this.#trickled = true
    this.reschedule()
  }

  /** The host had been down and is up. */
  cameBack(): void {
    this.#upAgainAtMs = this.#parts.clock.now()
    this.reschedule()
  }

  /** Sets the one timer to when the host may take more by time alone; to be called when its slots changed, too. */
  reschedule(): void {
    this.#timer?.cancel()
    const waitMs = this.#msToNextChange()
    if (waitMs === null) this.#timer = null
    else this.#timer = this.#parts.clock.after(Math.max(1, Math.ceil(waitMs)), () => this.#timePassed())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #timePassed(): void {
    this.reschedule()
    this.#parts.onChange()
  }

  #failed(kind: 'lost' | 'failed'): void {
    const mayEject = this.#parts.mayEject()
    if (!this.#breaker.failed(kind)) return
    this.#throttled = !mayEject
    this.#trickled = false
    this.#trickledAtMs = this.#parts.clock.now()
    this.#parts.onEjected(this.#breaker.openForMs)
  }

  #trickleInMs(): number {
    if (!this.#breaker.open) return 0
    return Math.max(0, Math.min(this.#trickledAtMs + trickleMs - this.#parts.clock.now(), this.#breaker.openForMs))
  }

  /** Since the host returned, from an ejection or from being down; null while it never did. */
  #sinceReturnMs(): number | null {
    const ejectionEndedMs = this.#breaker.returnedAtMs
    if (ejectionEndedMs === null && this.#upAgainAtMs === null) return null
    return this.#parts.clock.now() - Math.max(ejectionEndedMs ?? -Infinity, this.#upAgainAtMs ?? -Infinity)
  }

  #msToNextChange(): number | null {
    const slots = this.#parts.slots()
    const sinceMs = this.#sinceReturnMs()
    const waits = [
      this.#breaker.openForMs,
      this.#trickleInMs(),
      this.#backPressure.pausedForMs,
      this.#backPressure.msToNextSlot(slots) ?? 0,
      sinceMs === null ? 0 : (msToNextSlot(slots, sinceMs, this.#slowStartMs) ?? 0),
    ].filter((waitMs) => waitMs > 0)
    return waits.length === 0 ? null : Math.min(...waits)
  }
}
