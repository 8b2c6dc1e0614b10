/** Who holds a host's slots, beside what each class has a first claim on. */
import type { Clock } from '../base/clock.ts'
import { type RequestClass, requestClasses } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import { Lease } from './lease.ts'
import type { QueueRules } from './rules.ts'

type ByClass = Record<RequestClass, number>

/** How long each class held slots of a host, the older the less. */
interface SlotTimes {
  readonly ms: ByClass
  countedToMs: number
}

/** What is about to change. */
interface Expected {
  /** Leases that count no more. */
  readonly without: ReadonlySet<Lease>
  /** Slots that interactive requests will have got. */
  readonly interactive: number
}

/** What is so old counts for a third: a share is one of the last minutes, and not of the day. */
const memoryMs = 120_000

export class Shares {
  readonly #clock: Clock
  #rules: QueueRules['classes']
  readonly #times = new WeakMap<Host, SlotTimes>()

  constructor(clock: Clock, rules: QueueRules['classes']) {
    this.#clock = clock
    this.#rules = rules
  }

  adopt(rules: QueueRules['classes']): void {
    this.#rules = rules
  }

  /** A slot was given back. */
  released({ host, class: ofClass, grantedAtMs, abandoned }: Lease): void {
    if (abandoned) return
    const now = this.#clock.now()
    const times = this.#timesOf(host, now)
    times.ms[ofClass] += now - grantedAtMs
    this.#times.set(host, times)
  }

  /** Which classes have a first claim on the next slot of the host; reckoned when it is asked for, since it nearly never decides. */
  at(host: Host, expected: Expected = nothing): (ofClass: RequestClass) => boolean {
    let claims: Readonly<Record<RequestClass, boolean>> | null = null
    return (ofClass) => {
      claims ??= this.#claimsAt(host, expected)
      return claims[ofClass]
    }
  }

  #claimsAt(host: Host, { without, interactive }: Expected): Readonly<Record<RequestClass, boolean>> {
    const now = this.#clock.now()
    const ms = { ...this.#timesOf(host, now).ms }
    const has: ByClass = { interactive, default: 0, bulk: 0 }
    for (const lease of host.leases) {
      if (!(lease instanceof Lease) || lease.abandoned || without.has(lease)) continue
      has[lease.class]++
      ms[lease.class] += now - lease.grantedAtMs
    }
    const all = ms.interactive + ms.default + ms.bulk
    const { limit } = host.health
    const claims = (ofClass: RequestClass): boolean => {
      const { share } = this.#rules[ofClass]
      // A part of one slot is a part of its time: without that a quarter of a single slot would be all of it.
      const hasSlots = has[ofClass] >= Math.max(share > 0 ? 1 : 0, share * limit)
      const hadTime = all > 0 && ms[ofClass] >= share * all
      return !hasSlots && !hadTime
    }
    return { interactive: claims('interactive'), default: claims('default'), bulk: claims('bulk') }
  }

  #timesOf(host: Host, now: number): SlotTimes {
    const known = this.#times.get(host)
    if (known === undefined) return { ms: { interactive: 0, default: 0, bulk: 0 }, countedToMs: now }
    const left = Math.exp((known.countedToMs - now) / memoryMs)
    for (const ofClass of requestClasses) known.ms[ofClass] *= left
    known.countedToMs = now
    return known
  }
}

const nothing: Expected = { without: new Set(), interactive: 0 }
