/**
 * Grants where several gateways give out the slots of the same hosts. A slot that is free here is taken at once, and asked
 * for: whoever is granted it begins, whoever is refused leaves nothing behind and waits where it would, had it never been
 * chosen. Then the host counts as full here until one of its slots may have become free for this gateway.
 */
import type { Decision } from '../balancing/decision.ts'
import type { Ask } from '../balancing/policy.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { victimsFor } from '../hosts/model-places.ts'
import type { SharedSlotEvents, SharedSlotsState } from './events.ts'
import type { Grant, Grants } from './grants.ts'
import type { Lease } from './lease.ts'
import type { ModelWish, OwnSlots, SharedSlots, SlotAnswer, SlotRank } from './shared-slots.ts'
import { toldOf } from './told-waits.ts'
import type { Waiter } from './waiter.ts'

/** What a dispatcher that has others beside it is given. */
export interface Sharing {
  readonly slots: SharedSlots
  /** A number in [0, 1), as Math.random. */
  readonly chance: () => number
  readonly events: SharedSlotEvents
}

interface SharedGrantsParts extends Sharing {
  readonly clock: Clock
  readonly grants: Pick<Grants, 'reserve' | 'begin' | 'undo'>
  /** Gives what is free at a host to those who go next. */
  readonly serve: (host: Host) => void
  readonly line: SharedLine
  /** A slot was given back that had been granted. */
  readonly onRelease: (lease: Lease) => void
}

/** Those who wait, as far as it is of concern there. */
export interface SharedLine {
  rankOf(waiter: Waiter, host: Host): SlotRank
  /** Of the one that goes next there; null where nobody waits for the host. */
  nextRank(host: Host): SlotRank | null
  /** How many wait for the host. */
  waitingFor(host: Host): number
  /** It waits no more, for now: the host that it waited for alone, or null. */
  takesOut(waiter: Waiter): Host | null
  /** The host can still be given what was asked for. */
  isOpen(waiter: Waiter, host: Host): boolean
  granted(waiter: Waiter, host: Host, waitMs: number, heldFor: Host | null): void
  goesBack(waiter: Waiter, heldFor: Host | null): void
}

interface Asked {
  readonly waiter: Waiter
  readonly grant: Grant
  readonly lease: Lease
  readonly rank: SlotRank
  /** Who has the claim once this one is granted its slot. */
  readonly next: SlotRank | null
  /** The host that it waited for alone. */
  readonly heldFor: Host | null
}

type Outcome = 'granted' | 'refused' | 'local'

/** Of the hosts of one name: more than one while a host is being replaced by another. */
interface AtHost {
  readonly hosts: Set<Host>
  /** Slots that are taken and not granted yet. */
  reserved: number
  /** So many were asked for so far. */
  asked: number
  /** Of the claim that is known to all; null where none is. */
  claim: SlotRank | null
  /** Until one is asked for again, though nobody has told that one is free. */
  again: Timer | null
  /** The others do not know yet what is held here. */
  isUntold: boolean
}

/** Claims last for longer than it takes to renew them, so that whoever waits all the time has one all the time. */
const againMsMin = 150
const againMsMax = 250

export class SharedGrants {
  readonly #parts: SharedGrantsParts
  readonly #asked = new Map<Waiter, Asked>()
  readonly #at = new Map<string, AtHost>()
  #tellsSoon = false

  constructor(parts: SharedGrantsParts) {
    this.#parts = parts
    parts.slots.begin({
      at: (name) => this.#ownAt(name),
      freed: (name, elsewhere) => this.#freed(name, elsewhere),
      late: (name, answer) => this.#late(name, answer),
    })
  }

  /** Of one that waits or has just come. */
  ask(waiter: Waiter, ask: Ask, decision: Decision): void {
    const { slots, grants, line } = this.#parts
    const { host } = decision.place
    const { request, flow } = waiter
    const at = this.#atHost(host)
    // Before it is charged for what it may not be given.
    const rank = line.rankOf(waiter, host)
    const hadToWait = waiter.isWaiting
    const isBulk = waiter.class === 'bulk'
    const told = toldOf(waiter)
    const heldFor = line.takesOut(waiter)
    const grant: Grant = { request, ask, flow, decision, waitMs: 0, hadToWait, told, isBulk }
    const lease = grants.reserve(grant, (one) => this.#released(one))
    const next = line.nextRank(host)
    const asked: Asked = { waiter, grant, lease, rank, next, heldFor }
    this.#asked.set(waiter, asked)
    at.reserved++
    at.asked++
    at.isUntold = false
    host.elsewhere.asking++
    const waiting = next === null ? 0 : line.waitingFor(host)
    const models = this.#modelWish(decision)
    slots.take({ host: host.name, rank, next, waiting, models, spentMs: this.#spentMs(waiter) }, (answer) => {
      if (answer === null) this.#answered(asked, this.#ownAnswer(host), 'local')
      else this.#answered(asked, answer, answer.granted ? 'granted' : 'refused')
    })
  }

  /** Whoever waits in line has nothing to lose by it; all that one has waited who has just come was for answers. */
  #spentMs({ request, sinceMs, hasBegun }: Waiter): number {
    return hasBegun ? 0 : (request.storeWaitMs ?? 0) + this.#parts.clock.now() - sinceMs
  }

  /** False unless a slot is being asked for it: nobody waits for the answer any more. */
  giveUp(waiter: Waiter): boolean {
    const asked = this.#asked.get(waiter)
    if (asked === undefined) return false
    this.#asked.delete(waiter)
    asked.lease.release()
    return true
  }

  /** Those for whom slots are being asked. */
  waiting(): Iterable<Waiter> {
    return this.#asked.keys()
  }

  /** It waits now, for these hosts. Where it goes before what was claimed last, its own claim is to be known. */
  came(waiter: Waiter, hosts: readonly Host[]): void {
    for (const host of hosts) {
      if (!host.elsewhere.isFull) continue
      const claim = this.#at.get(host.name)?.claim ?? null
      if (claim !== null && isLess(this.#parts.line.rankOf(waiter, host), claim)) this.#openAgain(host)
    }
  }

  /** Nothing of a host that has gone is kept. */
  forget(host: Host): void {
    const at = this.#at.get(host.name)
    if (at?.hosts.delete(host) !== true || at.hosts.size > 0) return
    at.again?.cancel()
    this.#at.delete(host.name)
    if (at.isUntold) this.#parts.slots.tell(host.name, false)
  }

  /** For whoever shows it. */
  *states(): Iterable<SharedSlotsState> {
    for (const [host, { hosts, claim }] of this.#at) {
      for (const { elsewhere } of hosts) yield { host, elsewhere: elsewhere.held, isClaimed: claim !== null }
    }
  }

  #atHost(host: Host): AtHost {
    let at = this.#at.get(host.name)
    if (at === undefined) {
      at = { hosts: new Set(), reserved: 0, asked: 0, claim: null, again: null, isUntold: false }
      this.#at.set(host.name, at)
    }
    at.hosts.add(host)
    return at
  }

  #ownAt(name: string): OwnSlots {
    const at = this.#at.get(name)
    if (at === undefined) return { held: 0, limit: 0 }
    let [held, limit, loads] = [-at.reserved, 0, false]
    for (const host of at.hosts) {
      held += host.leases.size
      limit = Math.max(limit, host.health.limit)
      loads ||= host.memory.loading !== null
    }
    return { held, limit, models: this.#modelsAt(at), loads }
  }

  /** What it has requests for, where a host cannot hold all its models. */
  #modelsAt({ hosts, reserved }: AtHost): readonly string[] | undefined {
    const models = new Set<string>()
    let areKnown = false
    for (const { memory } of hosts) {
      if (memory.loadsBy === null) continue
      areKnown = true
      for (const [model] of memory.uses()) models.add(model)
    }
    if (!areKnown) return undefined
    if (reserved > 0) for (const { lease } of this.#asked.values()) if (hosts.has(lease.host)) models.add(lease.model)
    return [...models]
  }

  #modelWish({ place: { host, model } }: Decision): ModelWish | undefined {
    const { loadsBy } = host.memory
    if (loadsBy === null) return undefined
    const isToLoad = loadsBy === 'request' && host.mustLoad(model) && host.memory.loading === null
    return { model, load: isToLoad ? { evicts: victimsFor(host, model) } : null }
  }

  /**
   * Nobody has said what others hold: it is granted what this gateway may have by itself. Where only this answer has not come,
   * the others have theirs, and may hold more than their shares: then nothing of what was theirs a moment ago.
   */
  #ownAnswer(host: Host): SlotAnswer {
    const { slots, clock } = this.#parts
    const { held, limit } = this.#ownAt(host.name)
    const share = slots.shareOf(limit)
    const known = host.elsewhere.heldWithin(slots.knownForMs, clock.now())
    if (known === null) return { granted: held < share, elsewhere: Math.max(0, limit - share) }
    return { granted: held < share && held + known < limit, elsewhere: host.elsewhere.held }
  }

  #answered(asked: Asked, answer: SlotAnswer, outcome: Outcome): void {
    const { events, line, serve, clock } = this.#parts
    const { waiter, lease } = asked
    const { host } = lease
    const { granted, elsewhere } = answer
    host.elsewhere.asking--
    if (outcome === 'local') host.elsewhere.held = elsewhere
    else host.elsewhere.answered(elsewhere, clock.now())
    events.slotAsked(host.name, outcome)
    // It has gone meanwhile, with all that was held there.
    const at = this.#at.get(host.name)
    if (at?.hosts.has(host) !== true) return
    // It may not even have been asked, which would have told what is held here.
    if (outcome === 'local') this.#untold(at)
    const isWaitedFor = this.#asked.get(waiter) === asked
    if (answer.isForModel === true) this.#refusedForModel(lease)
    else if (!granted) this.#refused(asked, outcome)
    if (isWaitedFor && granted && line.isOpen(waiter, host)) this.#grant(asked, outcome)
    else {
      if (granted) this.#returned(host)
      if (isWaitedFor) this.#goesBack(asked)
    }
    serve(host)
  }

  #grant({ waiter, lease, grant, next, heldFor }: Asked, outcome: Outcome): void {
    const { clock, grants, line } = this.#parts
    const { host } = lease
    const at = this.#atHost(host)
    this.#asked.delete(waiter)
    at.reserved--
    if (outcome === 'granted' && next !== null && host.heldInAll >= host.health.limit) this.#claims(at, host, next)
    else if (outcome === 'granted') at.claim = next
    const waitMs = Math.max(0, clock.now() - waiter.sinceMs)
    line.granted(waiter, host, waitMs, heldFor)
    grants.begin(lease, { ...grant, waitMs })
  }

  #refused({ lease: { host }, rank }: Asked, outcome: Outcome): void {
    const at = this.#atHost(host)
    this.#claims(at, host, outcome === 'refused' ? rank : at.claim)
  }

  /** Others of the host's models may begin there; this one is asked for again before long. */
  #refusedForModel({ host, model }: Lease): void {
    const { serve } = this.#parts
    const { elsewhere } = host.memory
    elsewhere.refused.add(model)
    this.#later(() => {
      elsewhere.refused.delete(model)
      if (this.#at.get(host.name)?.hosts.has(host) === true) serve(host)
    })
  }

  #later(callback: () => void): Timer {
    const { clock, chance } = this.#parts
    return clock.after(againMsMin + chance() * (againMsMax - againMsMin), callback)
  }

  /** It is full, and somebody here waits for it. */
  #claims(at: AtHost, host: Host, claim: SlotRank | null): void {
    at.claim = claim
    host.elsewhere.isFull = true
    at.again ??= this.#later(() => this.#openAgain(host))
  }

  /** A slot of it was granted for nothing. */
  #returned(host: Host): void {
    this.#parts.events.slotAnswerUndone(host.name)
    this.#untold(this.#atHost(host))
  }

  #goesBack({ waiter, lease, heldFor }: Asked): void {
    this.#asked.delete(waiter)
    lease.release()
    this.#parts.line.goesBack(waiter, heldFor)
  }

  #released(lease: Lease): void {
    const { host } = lease
    const at = this.#atHost(host)
    if (!lease.begun) {
      at.reserved--
      this.#parts.grants.undo(lease)
      return
    }
    this.#untold(at)
    // Whether it is for this gateway or for another is told by whoever is asked for it.
    this.#open(host)
    this.#parts.onRelease(lease)
  }

  #freed(name: string, elsewhere: number): void {
    for (const host of this.#at.get(name)?.hosts ?? []) {
      host.elsewhere.answered(elsewhere, this.#parts.clock.now())
      this.#openAgain(host)
    }
  }

  #late(name: string, { granted, elsewhere }: SlotAnswer): void {
    if (granted) this.#freed(name, elsewhere)
    else
      for (const { elsewhere: of } of this.#at.get(name)?.hosts ?? []) of.answered(elsewhere, this.#parts.clock.now())
  }

  #open(host: Host): void {
    const at = this.#atHost(host)
    at.again?.cancel()
    at.again = null
    host.elsewhere.isFull = false
  }

  #openAgain(host: Host): void {
    const at = this.#atHost(host)
    const { asked } = at
    this.#open(host)
    this.#parts.serve(host)
    // Nobody here could take it: nobody is to stand behind what was claimed.
    if (at.asked === asked && at.claim !== null && host.elsewhere.asking === 0) this.#untold(at)
  }

  /** Told at the end of this turn of events, unless a slot is asked for until then, which tells the same. */
  #untold(at: AtHost): void {
    at.isUntold = true
    if (this.#tellsSoon) return
    this.#tellsSoon = true
    this.#parts.clock.afterTurn(() => this.#tell())
  }

  #tell(): void {
    this.#tellsSoon = false
    for (const [name, at] of this.#at) {
      if (!at.isUntold) continue
      at.isUntold = false
      // Whoever waits here would have asked by now.
      const claims = [...at.hosts].some(({ elsewhere }) => elsewhere.isFull || elsewhere.asking > 0)
      if (!claims) at.claim = null
      this.#parts.slots.tell(name, claims)
    }
  }
}

/** It goes first. */
function isLess(one: SlotRank, other: SlotRank): boolean {
  return one.band < other.band || (one.band === other.band && one.counter < other.counter)
}
