/** Chooses a host for a request: gathers what is known of each, asks the policy, and keeps account of what was given to whom. */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { ModelAccess } from '../hosts/residency.ts'
import type { Candidate } from '../hosts/route.ts'
import type { Assignment, Generated } from './assignment.ts'
import { consideredOf, type Decision, type NotTaken } from './decision.ts'
import { HostWork } from './host-work.ts'
import type { Speeds } from './learned-speeds.ts'
import { type AccessOf, allTaken, alwaysInMemory, inMemory, type Sorted, worthTheirLoads } from './model-access.ts'
import type { PolicyName } from './options.ts'
import { policies } from './policies.ts'
import { type Ask, areAny, type Chance, type Choice, type Place, type Policy, type RoutingReason } from './policy.ts'
import { noMatch, type Prefixes } from './prefix-memory.ts'
import { Sessions } from './sessions.ts'
import type { Speed } from './speed.ts'
import { StillClock } from './still-clock.ts'
import { outputLeftAssumed, WorkElsewhere } from './work-elsewhere.ts'

export interface BalancerParts {
  readonly clock: Clock
  readonly policy: PolicyName
  /** Makes what decides; default: the policy of that name. */
  readonly makePolicy?: (chance: Chance) => Policy
  readonly chance: Chance
  readonly speeds: Speeds
  readonly prefixes: Prefixes
  /** Absent where all hosts have all their models in memory. */
  readonly accessOf?: AccessOf
}

export interface Situation {
  /** It may wait for a host that is not free. */
  readonly mayWait: boolean
  /** Requests that wait and could take a slot of this host. */
  readonly waitingFor: (host: Host) => number
}

interface Seen {
  readonly access: ModelAccess
  /** How many wait for it; null where it is free. */
  readonly before: number | null
  readonly lastHere: boolean
}

/** Of each candidate; null where all of them have all models in memory. */
type Accesses = readonly ModelAccess[] | null

/** Hosts that were looked at, each with what is between the request and the model there. */
interface Looked {
  readonly places: Place[]
  readonly access: ModelAccess[]
}

export class Balancer {
  #parts: BalancerParts
  #policy: Policy
  /** That of the speeds and the prefixes, where all were made together. */
  readonly #clock: StillClock
  readonly #work: HostWork
  readonly #accessOf: AccessOf
  readonly sessions = new Sessions()

  constructor(parts: BalancerParts) {
    this.#parts = parts
    const { policy, chance, makePolicy = policies[policy] } = parts
    this.#policy = makePolicy(chance)
    this.#clock = parts.clock instanceof StillClock ? parts.clock : new StillClock(parts.clock)
    this.#work = new HostWork({ ...parts, clock: this.#clock })
    this.#accessOf = parts.accessOf ?? alwaysInMemory
  }

  /** From now on what other gateways tell of their work counts as that of this one. */
  shareWork(hosts: () => Iterable<Host>): WorkElsewhere {
    const work = this.#work
    const elsewhere = new WorkElsewhere({
      clock: this.#parts.clock,
      hosts,
      own: (host) => ({ ...work.own(host), running: host.leases.size }),
      onChange: (host) => work.changesElsewhere(host),
    })
    work.heeds(elsewhere)
    return elsewhere
  }

  /** Another policy from now on. */
  adopt(policy: PolicyName): void {
    if (policy === this.#parts.policy) return
    this.#parts = { ...this.#parts, policy }
    this.#policy = policies[policy](this.#parts.chance)
  }

  /** Null where none of the candidates has a slot for it. */
  choose(ask: Ask, candidates: readonly Candidate[], situation: Situation): Decision | null {
    this.#clock.stop()
    try {
      return this.#choose(ask, candidates, situation)
    } finally {
      this.#clock.goOn()
    }
  }

  #choose(ask: Ask, candidates: readonly Candidate[], situation: Situation): Decision | null {
    // Hosts that have all their models in memory are asked for none of it.
    const accesses = candidates.some(loads) ? this.#accessOf(candidates) : null
    const { places: looked, access } = this.#looked(ask, candidates, situation, accesses)
    const sorted = looked.some(loads) ? worthTheirLoads(ask, looked, access) : allTaken(looked)
    const { places, leftOut } = situation.mayWait ? sorted : lessFull(sorted)
    if (!areAny(places) || !places.some(isFree)) return null
    // Also where there is one alone: a policy that goes by turns must know of each.
    const choice = this.#policy.choose(ask, places)
    const reason = reasonOf(choice, candidates, sorted)
    const considered = consideredOf(places, choice, leftOut)
    const { policy } = this.#parts
    return { policy, place: choice.place, reason, considered, waitMsMax: choice.waitMsMax ?? 0 }
  }

  /** How fast that host is with that model, as far as is known. */
  speedOf(host: Host, model: string): Speed {
    return this.#parts.speeds.of(host, model)
  }

  /** It was given a slot there. `generated`: what comes of it. */
  begin(ask: Ask, place: Place, generated: Generated): Assignment {
    this.sent(ask, place)
    return this.reserve(ask, place, generated)
  }

  /** It goes there: what the host has read before, and whose session it has. */
  sent(ask: Ask, { host, model }: Place): void {
    const { print } = ask.prompt
    if (print !== null) this.#parts.prefixes.remember(host, model, print)
    this.sessions.remember(host, ask)
  }

  /** It is work of the host from now on, whether it goes there in the end or not. */
  reserve(ask: Ask, place: Place, generated: Generated): Assignment {
    const { host, model, uncachedTokens, sentTokens, inputAhead, speed } = place
    const { print } = ask.prompt
    const { input: inputTokens, output: outputTokens } = ask.tokens
    const owner = print === null ? null : print.owner
    return this.#work.begin(
      { host, model, owner, inputTokens, uncachedTokens, sentTokens, inputAhead, outputTokens, speed },
      generated,
    )
  }

  /** Those of the first tiers, up to one that has a slot: beyond it nobody is asked. None where no tier has one. */
  #looked(ask: Ask, candidates: readonly Candidate[], { mayWait, waitingFor }: Situation, accesses: Accesses): Looked {
    const tierMax = firstTierOf(candidates, accesses)
    const lastAt = this.sessions.lastAt(ask)
    // What loads is held against hosts that have the model, free or not.
    const alsoFull = mayWait || accesses !== null
    const places: Place[] = []
    const access: ModelAccess[] = []
    let at = 0
    for (const candidate of candidates) {
      const { host } = candidate
      const ofModel = accesses?.[at++] ?? inMemory
      if (host.tier > tierMax || !host.available || host.paused) continue
      const couldBegin = host.hasFreeSlot && ofModel.admits
      if (!couldBegin && !alsoFull) continue
      const before = couldBegin ? null : waitingFor(host)
      places.push(this.#place(ask, candidate, { access: ofModel, before, lastHere: host === lastAt }))
      access.push(ofModel)
    }
    return { places, access }
  }

  #place(ask: Ask, candidate: Candidate, { access, before, lastHere }: Seen): Place {
    const { speeds, prefixes } = this.#parts
    const { host, model } = candidate
    const { print } = ask.prompt
    const { input } = ask.tokens
    const speed = speeds.of(host, model)
    const match = print === null ? noMatch : prefixes.match(host, model, print)
    const { waitMs, loadMs } = access
    // Whoever is beyond a number of slots that has fallen gives its own to nobody.
    const endsBefore = before === null ? null : host.heldInAll - host.health.limit + before
    const ahead = this.#work.ahead(host, speed, endsBefore)
    const strangers = host.signals.strangersRunning
    return {
      host,
      model,
      isFree: before === null,
      slotWaitMs: before === null ? 0 : Math.max(waitMs, host.health.busyForMs, ahead.slotWaitMs),
      loadMs,
      running: host.heldInAll + strangers,
      inputAhead: ahead.input,
      outputAhead: ahead.output + strangers * outputLeftAssumed,
      uncachedTokens: Math.max(1, Math.round(input * (1 - match.share))),
      sentTokens: Math.round(input * match.sentShare),
      isHome: match.isHome,
      lastHere,
      speed,
    }
  }
}

function loads({ host }: Candidate): boolean {
  return host.memory.loadsBy !== null
}

function isFree(place: Place): boolean {
  return place.isFree
}

/** Beyond any where none has a slot. */
function firstTierOf(candidates: readonly Candidate[], accesses: Accesses): number {
  let first = Number.POSITIVE_INFINITY
  let at = 0
  for (const { host } of candidates) {
    const { admits } = accesses?.[at++] ?? inMemory
    if (host.tier < first && host.available && host.hasFreeSlot && admits) first = host.tier
  }
  return first
}

function lessFull({ places, leftOut }: Sorted): Pick<Sorted, 'places' | 'leftOut'> {
  if (places.every(isFree)) return { places, leftOut }
  const full = places.flatMap((place): NotTaken[] => (place.isFree ? [] : [{ place, why: 'full' }]))
  return { places: places.filter(isFree), leftOut: [...full, ...leftOut] }
}

/** A policy need not know of those that could not be chosen. */
function reasonOf(choice: Choice, candidates: readonly Candidate[], { places, leftOut, warm }: Sorted): RoutingReason {
  const { place, reason } = choice
  if (candidates.length === 1) return 'only_host'
  if (candidates.some(({ host }) => host.tier < place.host.tier)) return 'overflow'
  if (!place.isFree) return reason
  const free = places.filter(isFree).length
  const notWorthIt = leftOut.filter(({ why, place: { isFree: hasSlot } }) => why === 'load' && hasSlot).length
  if (free + notWorthIt === 1) return 'only_free_host'
  if (warm > 0 && places.indexOf(place) >= warm) return 'load'
  return free === 1 ? 'in_memory' : reason
}
