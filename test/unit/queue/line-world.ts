/**
 * A line before three hosts that is played upon at random, beside a plain account of who waits, who runs and what each
 * key was served. The account knows nothing of lanes and heaps: it looks at everybody, every time.
 */
import { expect } from 'vitest'
import type { RequestClass } from '../../../src/base/request-class.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import type { Route } from '../../../src/hosts/route.ts'
import { mayEjectOneMore } from '../../../src/hosts/spare-hosts.ts'
import { tokenCosts } from '../../../src/queue/bill.ts'
import { Dispatcher } from '../../../src/queue/dispatcher.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import { queueRules } from '../../../src/queue/rules.ts'
import { Shares } from '../../../src/queue/shares.ts'
import type { Place, SlotRequest, Turn } from '../../../src/queue/slot-request.ts'
import type { Waiter } from '../../../src/queue/waiter.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { shouldGoNext } from './next-by-rules.ts'

export interface Wanted {
  readonly key: string
  readonly weight: number
  readonly model: string
  readonly class: RequestClass
  readonly tokens: { readonly input: number; readonly output: number }
  readonly place: Place
  readonly excluded: readonly Host[]
  /** What it says when it is asked for its slot. */
  readonly yields: boolean
  /** Its client is gone by the time it is granted one. */
  readonly isGone: boolean
}

export interface Asker extends Wanted {
  /** By arrival. */
  readonly at: number
  /** Its place in the line, which stays the same while it waits. */
  order: number
  state: 'waiting' | 'running' | 'over' | 'left' | 'refused'
  code: string | null
  lease: Lease | null
  waiter: Waiter | null
  turn: Turn | null
}

export const bounds = {
  lengthMax: 9,
  lengthMaxPerKey: 5,
  tokensMax: 250,
  tokensMaxPerKey: 120,
  classes: { interactive: { lengthMax: 4 }, bulk: { lengthMax: 3 } },
}

export class LineWorld {
  readonly clock = new FakeClock()
  readonly hosts: readonly Host[]
  readonly dispatcher: Dispatcher
  readonly askers: Asker[] = []
  /** Of each key at each host, as it must be. */
  readonly counters = new Map<string, number>()
  readonly #catalog: ModelCatalog
  readonly #routes = new Map<string, Route>()
  readonly #charged = new Map<Lease, { cost: number; weight: number }>()
  readonly #countersOfLast = new Map<Host, number>()
  /** Of each key at each host: what lifts have made of what was expected. */
  readonly #lifted = new Map<string, number>()
  readonly #askedBack: Asker[] = []
  /** Held against what they promise by tests of their own. */
  readonly #shares = new Shares(this.clock, queueRules(queueOptions.parse(bounds)).classes)
  #asking: Asker | null = null

  constructor() {
    const parts = {
      clock: this.clock,
      onChange: () => this.dispatcher.hostsChanged(),
      mayEject: () => mayEjectOneMore(this.hosts),
    }
    this.hosts = [
      knownHost('a', { slots: 4, lists: ['m', 'both'], parts }),
      knownHost('b', { slots: 1, lists: ['n', 'both'], parts }),
      knownHost('c', { slots: 2, lists: ['m', 'n', 'both'], parts }),
    ]
    this.#catalog = new ModelCatalog(this.hosts, {})
    this.dispatcher = new Dispatcher(queueOptions.parse(bounds), {
      clock: this.clock,
      balancer: balancerOf({ clock: this.clock }),
      events: { waitEnded() {}, rejected() {}, estimateTold() {}, gaveBack() {} },
    })
  }

  in(state: Asker['state']): Asker[] {
    return this.askers.filter((asker) => asker.state === state)
  }

  /** Hosts that may take it now, whether one of their slots is free or not. */
  hostsFor({ model, excluded }: Wanted): Host[] {
    const candidates = this.#routeOf(model).candidates(new Set(excluded))
    return candidates.map(({ host }) => host)
  }

  ask(wanted: Wanted): Asker {
    const asker: Asker = {
      ...wanted,
      at: this.askers.length,
      order: Number.NaN,
      state: 'waiting',
      code: null,
      lease: null,
      waiter: null,
      turn: null,
    }
    const hosts = this.hostsFor(asker)
    const canStart = !this.dispatcher.paused && hosts.some((host) => host.hasFreeSlot)
    const bound = asker.place === 'newcomer' ? this.#boundMet(asker) : null
    for (const host of hosts) this.#lift(asker.key, host)
    this.#asking = asker
    const request = this.#requestOf(asker)
    const turn = this.dispatcher.ask(request)
    this.#asking = null
    this.askers.push(asker)
    asker.turn = turn
    if (hosts.length === 0) expect(asker.code, 'without a host').toBe('no_upstream_available')
    else if (canStart) expect(asker.lease, 'a slot was free').not.toBeNull()
    else if (bound !== null) expect(asker.code, 'past its bound').toBe(bound)
    else expect(['waiting', 'queue_wait_too_long'], 'within all bounds').toContain(asker.code ?? asker.state)
    for (const waiter of this.dispatcher.waiting()) if (waiter.request === request) asker.waiter = waiter
    expect(asker.waiter !== null, 'whether it is in the line').toBe(asker.state === 'waiting')
    if (asker.waiter !== null) this.#expectPlace(asker, asker.waiter)
    return asker
  }

  /** Who gave its slot back goes in front of those of its key, class and hosts, everybody else behind them. */
  #expectPlace(asker: Asker, { order, lane }: Waiter): void {
    asker.order = order
    const isAlike = (one: Asker): boolean => one.key === asker.key && one.class === asker.class && one !== asker
    for (const one of this.in('waiting')) {
      const isSame = isAlike(one) && one.waiter?.class === one.class && one.waiter.lane === lane
      if (isSame && one.place !== 'sent_back') expect(order < one.order).toBe(asker.place === 'given_back')
    }
  }

  generate(asker: Asker, tokens: number): void {
    asker.lease?.bill.generated(tokens)
    this.#charge(asker, this.#chargedTo(asker) + tokens * tokenCosts.output)
  }

  /** Ends with what the host says, or with nothing served. */
  end(asker: Asker, served: { input: number; cachedInput: number; output: number } | null): void {
    if (served === null) {
      asker.lease?.bill.refund()
      this.#charge(asker, 0, true)
    } else {
      asker.lease?.bill.correct(served)
      const { input, cachedInput, output } = served
      this.#charge(asker, Math.max(0, input - cachedInput) * tokenCosts.input + output * tokenCosts.output, true)
    }
    asker.state = 'over'
    if (asker.lease !== null) this.#shares.released(asker.lease)
    asker.lease?.release()
  }

  leave(asker: Asker): void {
    asker.state = 'left'
    asker.turn?.leave()
  }

  /** Those that were asked for their slot give it up, and ask for another one either before that or after it. */
  giveBack(asksFirst: boolean): void {
    for (const asker of this.#askedBack.splice(0)) {
      if (asker.state !== 'running') continue
      const again: Wanted = { ...asker, place: 'given_back' }
      if (asksFirst) this.ask(again)
      this.end(asker, null)
      if (!asksFirst) this.ask(again)
    }
  }

  /** After each step, so it must be quick: what is wrong is said in words, and only those are compared. */
  expectSound(): void {
    expect([...this.#wrongSlots(), ...this.#wrongLine(), ...this.#wrongFlows()]).toEqual([])
  }

  *#wrongSlots(): Generator<string> {
    const running = this.in('running')
    for (const { name, leases, slots } of this.hosts) {
      const here = running.filter(({ lease }) => lease?.host.name === name).length
      if (leases.size !== here || here > slots) yield `${here} run on ${name}: ${leases.size} leases, ${slots} slots`
    }
  }

  *#wrongLine(): Generator<string> {
    const waiting = this.in('waiting')
    const inLine = new Set(this.dispatcher.waiting())
    if (this.dispatcher.length !== waiting.length) yield `${waiting.length} wait, not ${this.dispatcher.length}`
    for (const asker of waiting) if (asker.waiter === null || !inLine.delete(asker.waiter)) yield `${asker.at} is lost`
    for (const { at, order, waiter } of waiting) if (waiter?.order !== order) yield `${at} has another place`
    for (const { at, waiter } of waiting) if (this.#isPastPatience(waiter)) yield `${at} waits past its patience`
    if (inLine.size > 0) yield `${inLine.size} are in the line that do not wait`
    if (this.dispatcher.paused) return
    for (const asker of waiting) {
      for (const host of this.hostsFor(asker)) if (host.hasFreeSlot) yield `${asker.at} waits, ${host.name} is free`
    }
  }

  #isPastPatience(waiter: Waiter | null): boolean {
    if (waiter === null) return true
    const waitedMs = this.clock.now() - waiter.sinceMs
    return waitedMs > this.dispatcher.waitMsMax(waiter.request.class)
  }

  *#wrongFlows(): Generator<string> {
    for (const flow of this.dispatcher.flows()) {
      const { id, waiting, running } = flow
      for (const host of this.hosts) {
        const [counter, right] = [flow.counterAt(host), this.#counter(id, host)]
        if (!(Math.abs(counter - right) < 1e-6)) yield `${id} has ${counter} at ${host.name}, not ${right}`
      }
      const own = (state: Asker['state']) => this.in(state).filter(({ key }) => key === id).length
      if (waiting !== own('waiting')) yield `${id} has ${own('waiting')} waiting, not ${waiting}`
      if (running !== own('running')) yield `${id} has ${own('running')} running, not ${running}`
    }
  }

  #routeOf(model: string): Route {
    const known = this.#routes.get(model) ?? this.#catalog.route(model, 'chat_completions')
    this.#routes.set(model, known)
    return known
  }

  #requestOf(asker: Asker): SlotRequest {
    return {
      route: this.#routeOf(asker.model),
      excluded: new Set(asker.excluded),
      holder: { id: asker.key, name: asker.key, weight: asker.weight },
      class: asker.class,
      tokens: asker.tokens,
      place: asker.place,
      granted: (lease) => this.#granted(asker, lease),
      refused: (error) => {
        expect(asker.state, 'refused').toBe('waiting')
        asker.state = 'refused'
        asker.code = error.code
      },
      giveBack: () => {
        if (asker.yields) this.#askedBack.push(asker)
        return asker.yields
      },
    }
  }

  #granted(asker: Asker, lease: Lease): void {
    expect(asker.state, 'granted').toBe('waiting')
    expect(asker.excluded).not.toContain(lease.host)
    expect(this.dispatcher.paused, 'whether the line is paused').toBe(false)
    expect(lease.host.leases.size).toBeLessThanOrEqual(lease.host.health.limit)
    // Who finds a free slot does not wait, and nobody who does could use it.
    if (asker !== this.#asking) this.#expectNext(asker, lease)
    this.#countersOfLast.set(lease.host, this.#served(asker.key, lease.host))
    asker.state = 'running'
    asker.lease = lease
    this.#charged.set(lease, { cost: 0, weight: lease.bill.flow.weight })
    this.#charge(asker, asker.tokens.input * tokenCosts.input)
    if (asker.isGone) this.end(asker, null)
  }

  /** It was the next for one of the hosts that it could have gone to. */
  #expectNext(asker: Asker, lease: Lease): void {
    const contenders = this.in('waiting').flatMap((one) =>
      one.waiter === null ? [] : [{ ...one, waiter: one.waiter }],
    )
    const nexts = this.hostsFor(asker).flatMap((host) => {
      const others = [...host.leases].filter((one) => one !== lease) as Lease[]
      if (others.length >= host.health.limit) return []
      const fitting = contenders.filter((one) => this.hostsFor(one).includes(host))
      return shouldGoNext(fitting, {
        counterOf: (key) => this.#counter(key, host),
        isShort: (ofClass) =>
          fitting.some((one) => one.class === ofClass) &&
          this.#shares.at(host, { without: new Set([lease]), interactive: 0 })(ofClass),
      })
    })
    expect(
      nexts.map(({ at }) => at),
      'who may go next',
    ).toContain(asker.at)
  }

  #boundMet({ key, class: ofClass, tokens }: Asker): string | null {
    const waiting = this.in('waiting')
    const wanted = tokens.input + tokens.output
    const isPast = (of: readonly Asker[], lengthMax: number, tokensMax = Number.POSITIVE_INFINITY): boolean => {
      const sum = of.reduce((all, one) => all + one.tokens.input + one.tokens.output, 0)
      return of.length >= lengthMax || (of.length > 0 && sum + wanted > tokensMax)
    }
    const own = waiting.filter((one) => one.key === key)
    if (isPast(own, bounds.lengthMaxPerKey, bounds.tokensMaxPerKey)) return 'concurrency_limit_exceeded'
    if (isPast(waiting, bounds.lengthMax, bounds.tokensMax)) return 'queue_full'
    const ofSame = waiting.filter((one) => one.class === ofClass)
    const lengthMax = ofClass === 'default' ? bounds.lengthMax : bounds.classes[ofClass].lengthMax
    return isPast(ofSame, lengthMax) ? 'queue_full' : null
  }

  /** Who comes back with nothing waiting is not owed what others were served meanwhile. */
  #lift(key: string, host: Host): void {
    const waiting = this.in('waiting').filter((one) => this.hostsFor(one).includes(host))
    if (waiting.some((one) => one.key === key && one.place !== 'sent_back')) return
    const counters = waiting.map((one) => this.#served(one.key, host))
    const floor = counters.length === 0 ? (this.#countersOfLast.get(host) ?? 0) : Math.min(...counters)
    const missing = Math.max(0, floor - this.#served(key, host))
    // What is expected makes good what is missing first, and is not given back then.
    const lifted = Math.min(missing, this.#expected(key, host))
    this.#lifted.set(`${key} ${host.name}`, (this.#lifted.get(`${key} ${host.name}`) ?? 0) + lifted)
    this.counters.set(`${key} ${host.name}`, this.#counter(key, host) + missing - lifted)
  }

  /** Less what is only expected. */
  #served(key: string, host: Host): number {
    return this.#counter(key, host) - this.#expected(key, host)
  }

  /** Of the prompts of what runs, less what lifts have made of it. */
  #expected(key: string, host: Host): number {
    const running = this.in('running').filter((one) => one.key === key && one.lease?.host === host)
    const shares = running.map(({ lease, tokens }) => {
      const weight = lease === null ? 1 : (this.#charged.get(lease)?.weight ?? 1)
      return (tokens.input * tokenCosts.input) / weight
    })
    return shares.reduce((sum, share) => sum + share, 0) - (this.#lifted.get(`${key} ${host.name}`) ?? 0)
  }

  #counter(key: string, host: Host): number {
    return this.counters.get(`${key} ${host.name}`) ?? 0
  }

  #chargedTo({ lease }: Asker): number {
    return lease === null ? 0 : (this.#charged.get(lease)?.cost ?? 0)
  }

  #charge({ key, lease, tokens }: Asker, cost: number, isEnd = false): void {
    const charged = lease === null ? undefined : this.#charged.get(lease)
    if (charged === undefined) return
    const { host } = lease as Lease
    const id = `${key} ${host.name}`
    const before = this.#counter(key, host)
    const share = (cost - charged.cost) / charged.weight
    charged.cost = cost
    if (!isEnd) {
      this.counters.set(id, before + share)
      return
    }
    const expected = (tokens.input * tokenCosts.input) / charged.weight
    const lifted = Math.min(this.#lifted.get(id) ?? 0, expected)
    this.#lifted.set(id, (this.#lifted.get(id) ?? 0) - lifted)
    const actual = share + expected
    this.counters.set(id, before + Math.max(actual, lifted) - expected + Math.min(actual, 0))
  }
}
