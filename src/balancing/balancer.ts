/** Chooses a host for a request: gathers what is known of each, asks the policy, and keeps account of what was given to whom. */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate } from '../hosts/model-catalog.ts'
import type { Assignment, Generated } from './assignment.ts'
import type { Considered, Decision } from './decision.ts'
import { HostWork } from './host-work.ts'
import type { Speeds } from './learned-speeds.ts'
import { type AccessOf, alwaysInMemory, worthTheirLoads } from './model-access.ts'
import type { PolicyName } from './options.ts'
import { policies } from './policies.ts'
import { type Ask, areAny, type Chance, type Choice, type Place, type Policy, type RoutingReason } from './policy.ts'
import { noMatch, type Prefixes } from './prefix-memory.ts'
import { Sessions } from './sessions.ts'
import type { Speed } from './speed.ts'
import { StillClock } from './still-clock.ts'

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

/** A record of a choice is kept for long: of a larger fleet it names some. */
const consideredMax = 16

/** What an answer of others has yet to generate: half of one of ordinary length, since nothing is known of it. */
const foreignOutputLeft = 128

export interface Situation {
  /** It may wait for a host that is not free. */
  readonly mayWait: boolean
  /** Requests that wait and could take a slot of this host. */
  readonly waitingFor: (host: Host) => number
}

interface Known extends Situation {
  /** Of each candidate. */
  readonly free: readonly boolean[]
}

export class Balancer {
  #parts: BalancerParts
  #policy: Policy
  /** That of the speeds and the prefixes, where all were made together. */
  readonly #clock: StillClock
  readonly #work: HostWork
  readonly #accessOf: AccessOf
  readonly #sessions = new Sessions()

  constructor(parts: BalancerParts) {
    this.#parts = parts
    const { policy, chance, makePolicy = policies[policy] } = parts
    this.#policy = makePolicy(chance)
    this.#clock = parts.clock instanceof StillClock ? parts.clock : new StillClock(parts.clock)
    this.#work = new HostWork({ ...parts, clock: this.#clock })
    this.#accessOf = parts.accessOf ?? alwaysInMemory
  }

  /** Another policy from now on. */
  adopt(policy: PolicyName): void {
    if (policy === this.#parts.policy) return
    this.#parts = { ...this.#parts, policy }
    this.#policy = policies[policy](this.#parts.chance)
  }

  /** Null where none of the candidates has a slot for it. */
  choose(ask: Ask, candidates: readonly Candidate[], situation: Situation): Decision | null {
    return this.#clock.during(() => this.#choose(ask, candidates, situation))
  }

  #choose(ask: Ask, candidates: readonly Candidate[], situation: Situation): Decision | null {
    const free = candidates.map((one) => this.#isFree(one))
    const looked = this.#looked(ask, candidates, { ...situation, free })
    const worth = worthTheirLoads(ask, looked, this.#accessOf)
    const places = situation.mayWait ? worth : worth.filter((place) => place.isFree)
    if (!areAny(places) || !places.some((place) => place.isFree)) return null
    // Also where there is one alone: a policy that goes by turns must know of each.
    const choice = this.#policy.choose(ask, places)
    const reason = reasonOf(choice, candidates, places)
    const considered = consideredOf(places, choice)
    const { policy } = this.#parts
    return { policy, place: choice.place, reason, considered, waitMsMax: choice.waitMsMax ?? 0 }
  }

  /** How fast that host is with that model, as far as is known. */
  speedOf(host: Host, model: string): Speed {
    return this.#parts.speeds.of(host, model)
  }

  /** It was given a slot there. `generated`: what comes of it. */
  begin(ask: Ask, place: Place, generated: Generated): Assignment {
    const { host, model, uncachedTokens, sentTokens, inputAhead, speed } = place
    const { print } = ask.prompt
    if (print !== null) this.#parts.prefixes.remember(host, model, print)
    this.#sessions.remember(host, ask)
    const { input: inputTokens, output: outputTokens } = ask.tokens
    const owner = print === null ? null : print.owner
    return this.#work.begin(
      { host, model, owner, inputTokens, uncachedTokens, sentTokens, inputAhead, outputTokens, speed },
      generated,
    )
  }

  /** Those of the first tiers, up to one that has a slot: beyond it nobody is asked. None where no tier has one. */
  #looked(ask: Ask, candidates: readonly Candidate[], known: Known): readonly Place[] {
    const { mayWait, free } = known
    const tierMax = firstTierOf(candidates, free)
    const lastAt = this.#sessions.lastAt(ask)
    const places: Place[] = []
    for (const [at, candidate] of candidates.entries()) {
      const { host } = candidate
      if (host.tier > tierMax || !host.available || host.paused) continue
      const isFree = free[at] === true
      // What loads is held against hosts that have the model, free or not.
      if (!isFree && !mayWait && host.memory.loadsBy === null) continue
      const before = isFree ? null : known.waitingFor(host)
      places.push(this.#place(ask, candidate, { before, lastHere: host === lastAt }))
    }
    return places
  }

  /** `before`: how many wait for it; null where it is free. */
  #place(ask: Ask, candidate: Candidate, { before, lastHere }: { before: number | null; lastHere: boolean }): Place {
    const { speeds, prefixes } = this.#parts
    const { host, model } = candidate
    const { print } = ask.prompt
    const { input } = ask.tokens
    const speed = speeds.of(host, model)
    const match = print === null ? noMatch : prefixes.match(host, model, print)
    const { waitMs, loadMs } = this.#accessOf(candidate)
    // Whoever is beyond a number of slots that has fallen gives its own to nobody.
    const endsBefore = before === null ? null : host.leases.size - host.health.limit + before
    const ahead = this.#work.ahead(host, speed, endsBefore)
    const foreign = host.signals.foreignRunning
    return {
      host,
      model,
      isFree: before === null,
      slotWaitMs: before === null ? 0 : Math.max(waitMs, host.health.busyForMs, ahead.slotWaitMs),
      loadMs,
      running: host.leases.size + foreign,
      inputAhead: ahead.input,
      outputAhead: ahead.output + foreign * foreignOutputLeft,
      uncachedTokens: Math.max(1, Math.round(input * (1 - match.share))),
      sentTokens: Math.round(input * match.sentShare),
      isHome: match.isHome,
      lastHere,
      speed,
    }
  }

  /** Whether it could be given a slot there at once. */
  #isFree(candidate: Candidate): boolean {
    const { host } = candidate
    return host.available && host.hasFreeSlot && this.#accessOf(candidate).admits
  }
}

/** Beyond any where none has a slot. */
function firstTierOf(candidates: readonly Candidate[], free: readonly boolean[]): number {
  let first = Number.POSITIVE_INFINITY
  for (const [at, { host }] of candidates.entries()) if (free[at] === true && host.tier < first) first = host.tier
  return first
}

/** A policy need not know of those that could not be chosen. */
function reasonOf(
  { place, reason }: Choice,
  candidates: readonly Candidate[],
  places: readonly Place[],
): RoutingReason {
  if (candidates.length === 1) return 'only_host'
  if (candidates.some(({ host }) => host.tier < place.host.tier)) return 'overflow'
  return places.length === 1 ? 'only_free_host' : reason
}

function consideredOf(places: readonly Place[], { place: chosen, scores }: Choice): readonly Considered[] {
  const all = places.map((place, at) => ({ place, score: scores?.[at] ?? null }))
  if (all.length <= consideredMax) return all
  // The chosen one is always among them.
  return [...all.filter(({ place }) => place === chosen), ...all.filter(({ place }) => place !== chosen)].slice(
    0,
    consideredMax,
  )
}
