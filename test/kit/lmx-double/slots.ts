/** LMX's concurrency: FIFO waiters with a wait limit, a limit that is lower than it says, and priority that ignores both. */
import type { Clock, Timer } from '../../../src/base/clock.ts'

export interface SlotTicket {
  /** Ends the wait or gives the slot back; more than once does no harm. */
  release(): void
}

interface SlotCallbacks {
  granted: () => void
  timedOut: () => void
}

interface Waiter extends SlotCallbacks {
  ticket: Ticket
  timer: Timer
}

export class SlotGate {
  readonly advertised: number
  readonly #waitMs: number
  readonly #clock: Clock
  readonly #waiters = new Set<Waiter>()
  #effective: number
  #wanted: number
  #held = 0
  #bypassing = 0
  #runningMax = 0
  #settling = false

  constructor(options: { advertised: number; effective: number; waitMs: number; clock: Clock }) {
    this.advertised = options.advertised
    this.#effective = options.effective
    this.#wanted = options.effective
    this.#waitMs = options.waitMs
    this.#clock = options.clock
  }

  /** Requests being answered, those that bypass the limit included: LMX's `in_flight`. */
  get running(): number {
    return this.#held + this.#bypassing
  }

  get runningMax(): number {
    return this.#runningMax
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** The limit in force, which no LMX page tells. */
  get effective(): number {
    return this.#effective
  }

  /** Takes effect at the next moment with nothing in flight, as LMX replaces its semaphore only then. */
  setEffective(limit: number): void {
    this.#wanted = limit
    this.#settle()
  }

  enter(bypass: boolean, callbacks: SlotCallbacks): SlotTicket {
    const ticket = new Ticket()
    if (bypass) {
      this.#bypassing += 1
      this.#seen()
      ticket.onRelease = () => {
        this.#bypassing -= 1
        this.#settle()
      }
      callbacks.granted()
    } else if (this.#held < this.#effective) {
      this.#grant(ticket, callbacks)
    } else {
      this.#enqueue(ticket, callbacks)
    }
    return ticket
  }

  #enqueue(ticket: Ticket, callbacks: SlotCallbacks): void {
    const timer = this.#clock.after(this.#waitMs, () => {
      this.#waiters.delete(waiter)
      ticket.onRelease = undefined
      waiter.timedOut()
    })
    const waiter: Waiter = { ...callbacks, ticket, timer }
    this.#waiters.add(waiter)
    ticket.onRelease = () => {
      timer.cancel()
      this.#waiters.delete(waiter)
    }
  }

  #grant(ticket: Ticket, callbacks: SlotCallbacks): void {
    this.#held += 1
    this.#seen()
    ticket.onRelease = () => {
      this.#held -= 1
      this.#settle()
    }
    callbacks.granted()
  }

  #seen(): void {
    this.#runningMax = Math.max(this.#runningMax, this.running)
  }

  #settle(): void {
    // An answer that is over at once releases its slot in here; the loop below then serves the next one.
    if (this.#settling) return
    this.#settling = true
    for (;;) {
      if (this.running === 0) this.#effective = this.#wanted
      const [waiter] = this.#waiters
      if (waiter === undefined || this.#held >= this.#effective) break
      this.#waiters.delete(waiter)
      waiter.timer.cancel()
      this.#grant(waiter.ticket, waiter)
    }
    this.#settling = false
  }
}

class Ticket implements SlotTicket {
  onRelease: (() => void) | undefined

  release(): void {
    const action = this.onRelease
    this.onRelease = undefined
    action?.()
  }
}
