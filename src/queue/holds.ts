/**
 * Requests that had their turn and wait for one host that is full: that is better than a slot elsewhere, and for how long
 * was said when the host was chosen. Then, or when the host goes, any host will do again.
 */
import type { Decision } from '../balancing/decision.ts'
import type { HoldResult } from '../balancing/events.ts'
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { Deadlines } from './deadlines.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { ToldDecisions } from './told-decisions.ts'
import type { Waiter } from './waiter.ts'

interface HoldsParts {
  readonly clock: Clock
  readonly line: Line
  readonly hosts: LaneHosts
  readonly decisions: ToldDecisions
  readonly deadlines: Deadlines
  /** It waits for any host again, one of which may be free. */
  readonly offer: (waiter: Waiter) => void
}

export class Holds {
  readonly #parts: HoldsParts

  constructor(parts: HoldsParts) {
    this.#parts = parts
  }

  /** It waits already, and no longer than its patience lasts. */
  begin(waiter: Waiter, decision: Decision): void {
    const { clock, line, decisions, deadlines } = this.#parts
    const nowMs = clock.now()
    line.hold(waiter, decision.place.host)
    decisions.held(waiter, decision)
    waiter.slotExpectedAtMs = nowMs + decision.place.slotWaitMs
    waiter.heldUntilMs = Math.min(nowMs + decision.waitMsMax, waiter.patienceEndsAtMs)
    deadlines.set(waiter, waiter.nextDueAtMs)
  }

  /** It has waited for the host for as long as that was the better choice, or as its patience lasts: it is offered what is free. */
  lasted(waiter: Waiter): void {
    this.#letGo(waiter, 'let_go')
    this.#parts.offer(waiter)
  }

  /** To be called when hosts have changed. */
  recheck(): void {
    const { line, hosts } = this.#parts
    for (const waiter of Array.from(line.held())) {
      const { heldFor, lane } = waiter
      if (heldFor === null || !hosts.granting(lane).includes(heldFor)) this.#letGo(waiter, 'host_gone')
    }
  }

  /** It has a slot, of this host. */
  granted(waiter: Waiter, host: Host, heldFor = waiter.heldFor): void {
    this.#parts.decisions.holdEnded(waiter, host === heldFor ? 'granted' : 'let_go', heldFor)
  }

  /** A slot was asked for in vain: it waits on for the host, for as long as it would have. */
  again(waiter: Waiter, host: Host): void {
    const { line, hosts, decisions } = this.#parts
    if (hosts.granting(waiter.lane).includes(host)) line.hold(waiter, host)
    else decisions.holdEnded(waiter, 'host_gone', host)
  }

  /** It leaves the line. */
  left(waiter: Waiter): void {
    if (waiter.isWaiting) this.#parts.decisions.holdEnded(waiter, 'left')
  }

  #letGo(waiter: Waiter, result: HoldResult): void {
    this.#parts.decisions.holdEnded(waiter, result)
    this.#parts.line.letGo(waiter)
  }
}
