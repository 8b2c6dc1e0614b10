/** The line of a gateway beside which others stand: what becomes of those for whom a slot is asked of all of them together. */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { Deadlines } from './deadlines.ts'
import type { Flows } from './flow.ts'
import type { Holds } from './holds.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { ModelWaits } from './model-waits.ts'
import type { Serving } from './serving.ts'
import type { SharedLine } from './shared-grants.ts'
import type { SlotRank } from './shared-slots.ts'
import type { ToldWaits } from './told-waits.ts'
import type { Waiter } from './waiter.ts'

interface LineOfSharedParts {
  readonly clock: Clock
  readonly line: Line
  readonly hosts: LaneHosts
  readonly flows: Flows
  readonly holds: Holds
  readonly told: ToldWaits
  readonly models: ModelWaits
  readonly deadlines: Deadlines
  /** The least served goes first, and not whoever came first. */
  readonly isFair: boolean
  /** Nobody is given anything. */
  readonly paused: () => boolean
  readonly serving: Pick<Serving, 'next' | 'bandOf'>
  /** It was never in line: whether it may wait is yet to be asked. */
  readonly enter: (waiter: Waiter) => void
  /** It may take any slot that is free. */
  readonly offer: (waiter: Waiter) => void
  /** No host could take those of the line any more. */
  readonly strand: () => void
}

export class LineOfShared implements SharedLine {
  readonly #parts: LineOfSharedParts

  constructor(parts: LineOfSharedParts) {
    this.#parts = parts
  }

  rankOf(waiter: Waiter, host: Host): SlotRank {
    const { clock, isFair, serving } = this.#parts
    const { request, flow, sinceMs } = waiter
    // One whose class has less than its share goes first by that, not by its counter, behind which all of its line would stand.
    const band = request.place === 'sent_back' ? 0 : 1 + serving.bandOf(waiter, host)
    return { band, counter: isFair ? flow.counterAt(host) : clock.wallMs() - (clock.now() - sinceMs) }
  }

  nextRank(host: Host): SlotRank | null {
    const next = this.#parts.serving.next(host)
    return next === undefined ? null : this.rankOf(next, host)
  }

  waitingFor(host: Host): number {
    const { line, hosts, models } = this.#parts
    return line.waitingFor(host, (lane) => hosts.takes(lane, host) && models.admits(lane, host))
  }

  takesOut(waiter: Waiter): Host | null {
    const { line, deadlines } = this.#parts
    const { heldFor } = waiter
    deadlines.clear(waiter)
    // Whoever gave its slot to others goes in front once it waits, and whoever comes now behind all that came before.
    if (!line.remove(waiter) && waiter.request.place !== 'given_back') line.number(waiter)
    return heldFor
  }

  isOpen({ lane }: Waiter, host: Host): boolean {
    const { hosts, models, paused } = this.#parts
    if (paused() || !host.available || host.paused || !hosts.takes(lane, host)) return false
    const { limit, busyForMs } = host.health
    return busyForMs === 0 && host.leases.size <= limit && models.admits(lane, host)
  }

  granted(waiter: Waiter, host: Host, waitMs: number, heldFor: Host | null): void {
    const { holds, told } = this.#parts
    if (heldFor !== null) holds.granted(waiter, host, heldFor)
    told.over(waiter, waitMs)
  }

  goesBack(waiter: Waiter, heldFor: Host | null): void {
    const { line, hosts, holds, flows, models, deadlines, enter, offer, strand } = this.#parts
    const { request, flow } = waiter
    waiter.lane = line.laneOf(request)
    if (!waiter.hasBegun) {
      enter(waiter)
      return
    }
    line.putBack(waiter)
    flows.rests(flow)
    if (heldFor !== null) holds.again(waiter, heldFor)
    deadlines.set(waiter, waiter.nextDueAtMs)
    models.waitsChanged(waiter.lane)
    if (hosts.candidates(waiter.lane).length === 0) strand()
    else if (waiter.heldFor === null) offer(waiter)
  }
}
