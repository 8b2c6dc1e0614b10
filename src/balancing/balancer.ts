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
import type { Ask, Chance, Choice, Place, Policy, RoutingReason } from './policy.ts'
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
  readonly isFree: (candidate: Candidate) => boolean
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
    const free = new Set(candidates.filter((one) => this.#isFree(one)))
    const isFree = (one: Candidate): boolean => free.has(one)
    const known = { ...situation, isFree }
    const within = inTiers(candidates, isFree)
    // What loads is held against hosts that have the model, free or not.
    const isLooked = ({ host }: Candidate): boolean => situation.mayWait || host.memory.loadsBy !== null
    const looked = within.filter((one) => isLooked(one) || isFree(one)).map((one) => this.#place(ask, one, known))
    const worth = worthTheirLoads(ask, looked, this.#accessOf)
    const places = situation.mayWait ? worth : worth.filter((place) => place.isFree)
    const [first, ...others] = places
    if (first === undefined || !places.some((place) => place.isFree)) return null
    // Also where there is one alone: a policy that goes by turns must know of each.
    const choice = this.#policy.choose(ask, [first, ...others])
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
    return this.#work.begin(
      { host, model, inputTokens, uncachedTokens, sentTokens, inputAhead, outputTokens, speed },
      generated,
    )
  }

  #place(ask: Ask, candidate: Candidate, { waitingFor, isFree }: Known): Place {
    const { speeds, prefixes } = this.#parts
    const { host, model } = candidate
    const work = this.#work
    const speed = speeds.of(host, model)
    const { prompt, tokens } = ask
    const { input } = tokens
    const match = prompt.print === null ? noMatch : prefixes.match(host, model, prompt.print)
    const { waitMs, loadMs } = this.#accessOf(candidate)
    const free = isFree(candidate)
    const foreign = host.signals.foreignRunning
    return {
      host,
      model,
      isFree: free,
      slotWaitMs: free ? 0 : Math.max(waitMs, this.#slotWaitMs(host, speed, waitingFor(host))),
      loadMs,
      running: host.leases.size + foreign,
      inputAhead: work.inputAhead(host, speed.prefillTokensPerSecond),
      outputAhead: work.outputAhead(host) + foreign * foreignOutputLeft,
      uncachedTokens: Math.max(1, Math.round(input * (1 - match.share))),
      sentTokens: Math.round(input * match.sentShare),
      isHome: match.isHome,
      lastHere: this.#sessions.isLast(host, ask),
      speed,
    }
  }

  /** Whether it could be given a slot there at once. */
  #isFree(candidate: Candidate): boolean {
    const { host } = candidate
    return host.available && host.hasFreeSlot && this.#accessOf(candidate).admits
  }

  /** Until one that is full, or pausing, is likely to take it, with so many before it. */
  #slotWaitMs(host: Host, speed: Speed, before: number): number {
    const { limit, busyForMs } = host.health
    // Whoever is beyond a number of slots that has fallen gives its own to nobody.
    const until = host.leases.size - limit + before
    return Math.max(busyForMs, until < 0 ? 0 : this.#work.slotWaitMs(host, speed, until))
  }
}

/** Those of the first tiers, up to one that has a slot: beyond it nobody is asked. None where no tier has one. */
function inTiers(candidates: readonly Candidate[], isFree: (candidate: Candidate) => boolean): readonly Candidate[] {
  let tierMax = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const { tier } = candidate.host
    if (tier < tierMax && isFree(candidate)) tierMax = tier
  }
  if (tierMax === Number.POSITIVE_INFINITY) return []
  return candidates.filter(({ host }) => host.tier <= tierMax && host.available && !host.paused)
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
