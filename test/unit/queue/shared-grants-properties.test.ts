import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { RequestClass } from '../../../src/base/request-class.ts'
import type { Place } from '../../../src/queue/slot-request.ts'
import type { Waiter } from '../../../src/queue/waiter.ts'
import type { Asker } from './line.ts'
import { sharedWorld, type WorldGateway } from './shared-world.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const hosts = { one: { slots: 1 }, two: { slots: 2 }, three: { slots: 3 } }
const gatewayCount = 3

const gateway = fc.nat(gatewayCount - 1)
const host = fc.constantFrom<keyof typeof hosts>('one', 'two', 'three')
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      gateway,
      key: fc.constantFrom('x', 'y', 'z'),
      class: fc.constantFrom<RequestClass>('interactive', 'default', 'bulk'),
      place: fc.constantFrom<Place>('newcomer', 'newcomer', 'newcomer', 'sent_back', 'given_back', 'last'),
      tokens: fc.nat(500),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), pick: fc.nat() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1, 3, 20, 120, 400) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const), gateway }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resume' as const), gateway }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause host' as const), gateway, host }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resume host' as const), gateway, host }) },
)
/** Redis is not there for a gateway, or what it sends is lost; until it is there again. */
const fault = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('alone' as const), gateway }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), gateway }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('back' as const), gateway }) },
)
const faultyStep = fc.oneof({ weight: 7, arbitrary: step }, { weight: 1, arbitrary: fault })
type Step = typeof faultyStep extends fc.Arbitrary<infer One> ? One : never

class Play {
  readonly world
  readonly askers: { readonly asker: Asker; readonly at: WorldGateway; over: boolean }[] = []

  /** What each may hold by itself is on top, where that is allowed for. */
  readonly #isExact: boolean

  constructor(delayMs: number, { isExact = true } = {}) {
    this.#isExact = isExact
    this.world = sharedWorld({ gateways: gatewayCount, hosts, delayMs })
  }

  async do(one: Step): Promise<void> {
    const { clock } = this.world
    if (one.kind === 'time') await clock.advance(one.ms)
    else if (one.kind === 'end' || one.kind === 'leave') this.#ends(one.kind, one.pick)
    else if (one.kind === 'ask') this.#asks(one)
    else if (one.kind === 'alone') this.#at(one.gateway).replica.isShared = false
    else if (one.kind === 'cut') this.#at(one.gateway).road.isCut = true
    else if (one.kind === 'back') this.#comesBack(this.#at(one.gateway))
    else this.#operates(one)
    for (const { id } of this.world.gateways) this.world.slots.beat(id)
    this.check()
  }

  /** No host ever has more than it takes. */
  check(): void {
    for (const [name, { slots }] of Object.entries(hosts)) {
      const shares = this.#isExact ? 0 : gatewayCount * Math.max(1, Math.floor(slots / gatewayCount))
      expect(this.world.running(name), name).toBeLessThanOrEqual(slots + shares)
    }
  }

  /** Nothing is on its way, and no slot is idle that somebody waits for. */
  async settles(): Promise<void> {
    for (const one of this.world.gateways) {
      for (const each of one.hosts) each.resume()
      one.dispatcher.resume()
    }
    // What was lost on the way is told again, as each second.
    for (let times = 0; times < 2; times++) {
      for (const one of this.world.gateways) this.#comesBack(one)
      await this.#passes(1_000)
    }
    this.check()
    // But for those that wait for one host alone, since that is the better one.
    const waits = this.world.gateways.some(({ dispatcher }) => [...dispatcher.waiting()].some(takesAny))
    const inAll = Object.keys(hosts).reduce((sum, name) => sum + this.world.running(name), 0)
    if (waits) expect(inAll, 'slots in use while somebody waits').toBeGreaterThanOrEqual(6)
  }

  /** Everybody has its turn, and nothing is left. */
  async drains(): Promise<void> {
    for (let rounds = 0; rounds < 200; rounds++) {
      const running = this.askers.filter(({ asker, over }) => !over && asker.lease !== null)
      if (running.length === 0) break
      for (const one of running) {
        one.over = true
        one.asker.lease?.release()
      }
      await this.#passes(300)
      this.check()
    }
    expect(this.askers.filter(({ asker, over }) => !over && asker.error === null)).toEqual([])
    await this.#passes(1_000)
    for (const name of Object.keys(hosts)) expect(this.world.slots.held(name)).toBe(0)
    for (const one of this.world.gateways) {
      expect(one.dispatcher.length).toBe(0)
      for (const { leases, elsewhere } of one.hosts) expect([leases.size, elsewhere.asking]).toEqual([0, 0])
      for (const flow of one.dispatcher.flows()) expect([flow.running, flow.waiting]).toEqual([0, 0])
    }
    expect(this.world.clock.pendingTimers).toBe(0)
  }

  async #passes(ms: number): Promise<void> {
    for (let gone = 0; gone < ms; gone += 100) {
      await this.world.clock.advance(100)
      for (const { id } of this.world.gateways) this.world.slots.beat(id)
    }
  }

  #at(number: number): WorldGateway {
    return this.world.gateways[number] as WorldGateway
  }

  #asks({ gateway: number, key, class: ofClass, place, tokens }: Extract<Step, { kind: 'ask' }>): void {
    const at = this.#at(number)
    const asked = { key, class: ofClass, place, tokens: { input: tokens, output: tokens }, patienceMs: 600_000 }
    this.askers.push({ asker: at.ask('m', asked), at, over: false })
  }

  /** What it holds is told first. */
  #comesBack({ road, replica }: WorldGateway): void {
    road.isCut = false
    replica.isShared = true
    for (const name of Object.keys(hosts)) replica.tell(name, true)
  }

  #ends(kind: 'end' | 'leave', pick: number): void {
    const open = this.askers.filter(({ asker, over }) => !over && (kind === 'leave' || asker.lease !== null))
    const one = open[pick % Math.max(1, open.length)]
    if (one === undefined) return
    one.over = true
    one.asker.turn.leave()
    one.asker.lease?.release()
  }

  #operates(one: Extract<Step, { kind: 'pause' | 'resume' | 'pause host' | 'resume host' }>): void {
    const at = this.#at(one.gateway)
    if (one.kind === 'pause') at.dispatcher.pause()
    else if (one.kind === 'resume') at.dispatcher.resume()
    else {
      if (one.kind === 'pause host') at.host(one.host).pause()
      else at.host(one.host).resume()
      at.dispatcher.hostsChanged()
    }
  }
}

function takesAny({ heldFor }: Waiter): boolean {
  return heldFor === null
}

it.each([0, 2])(
  'no slot too many, none idle, nothing lost or kept, with %i ms to Redis',
  { timeout: 600_000 },
  async (delayMs) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), async (steps) => {
        const play = new Play(delayMs)
        for (const one of steps) await play.do(one)
        await play.settles()
        await play.drains()
      }),
      { numRuns: isLong ? 2_000 : 40, ...(isLong ? {} : { seed: 11 }) },
    )
  },
)

it('within the bound of shares, and nothing lost or kept, through whatever becomes of Redis', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(faultyStep, { minLength: 10, maxLength: 80, size: 'max' }), async (steps) => {
      const play = new Play(2, { isExact: false })
      for (const one of steps) await play.do(one)
      await play.settles()
      await play.drains()
    }),
    { numRuns: isLong ? 2_000 : 40, endOnFailure: true, ...(isLong ? {} : { seed: 12 }) },
  )
})
