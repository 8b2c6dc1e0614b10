/** Waiting for a host that is full while another one is free: whose its next slot is, for how long, and what ends it. */
import { describe, expect, it } from 'vitest'
import type { HoldResult } from '../../../src/balancing/events.ts'
import { leastBusy } from '../../../src/balancing/least-busy.ts'
import type { Chance, Policy } from '../../../src/balancing/policy.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { ByteBudget } from '../../../src/queue/byte-budget.ts'
import { lineView } from '../../../src/queue/line-view.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, type LineOptions, line } from './line.ts'

const waitMsMax = 5_000

/** A session is at home at the host of its name, and worth waiting for that long; without one any host will do. */
function homing(chance: Chance): Policy {
  const others = leastBusy(chance)
  return {
    choose(ask, places) {
      const home = places.find(({ host }) => host.name === ask.prompt.session)
      if (home === undefined) return others.choose(ask, places)
      return { place: home, reason: 'prefix', ...(home.isFree ? {} : { waitMsMax }) }
    },
  }
}

const atHome = { prompt: { session: 'home', print: null } }

/** `home` has one slot, which is taken, and `other` as many as are wanted, which are free. */
function scene({ slots = 4, ...options }: LineOptions & { slots?: number } = {}) {
  const clock = new FakeClock()
  const [home, other] = [
    knownHost('home', { slots: 1, parts: { clock } }),
    knownHost('other', { slots, parts: { clock } }),
  ]
  const ended: HoldResult[] = []
  const decisions = { decided() {}, holdEnded: (_at: unknown, result: HoldResult) => void ended.push(result) }
  const balancer = balancerOf({ clock, makePolicy: homing })
  const common = line([home, other], { clock, balancer, decisions, ...options })
  const running = common.ask('m', { ...atHome, key: 'first' })
  return { ...common, home, other, ended, running }
}

const hostOf = ({ lease }: Asker): string | null => lease?.host.name ?? null

/** Takes all that the host has. */
function fill({ ask }: ReturnType<typeof scene>, host: Host, key = 'filler'): Asker[] {
  const askers: Asker[] = []
  while (host.hasFreeSlot) askers.push(ask('m', { key, prompt: { session: host.name, print: null } }))
  return askers
}

describe('whose the next slot of the host is', () => {
  it('of the one that waits for it, while all others go where a slot is free', () => {
    const { ask, running } = scene()
    const held = ask('m', atHome)
    const passing = ask('m', { key: 'bob' })
    expect([hostOf(held), hostOf(passing)]).toEqual([null, 'other'])
    running.lease?.release()
    expect(hostOf(held)).toBe('home')
  })

  it('of those that wait for it in the order in which they came, each for one', () => {
    const { ask, running, granted } = scene()
    const [first, second, third] = [ask('m', atHome), ask('m', atHome), ask('m', atHome)]
    running.lease?.release()
    first.lease?.release()
    second.lease?.release()
    expect(granted).toEqual([running, first, second, third])
  })

  it('of the key that was served less, whoever waits for the host alone: what another one could take is no claim on this', () => {
    const clock = new FakeClock()
    const home = knownHost('home', { slots: 1, lists: ['m', 'only-there'], parts: { clock } })
    const other = knownHost('other', { slots: 4, parts: { clock } })
    const { ask, dispatcher } = line([home, other], { clock, balancer: balancerOf({ clock, makePolicy: homing }) })
    const tokens = { input: 1_000, output: 0 }
    const running = ask('m', { ...atHome, key: 'alice', tokens })
    // Alice has had the slot; bob, who has no other host to go to, comes after her next one and has had nothing.
    const held = ask('m', { ...atHome, key: 'alice', tokens })
    const bob = ask('only-there', { key: 'bob', tokens })
    const more = ask('m', { ...atHome, key: 'alice', tokens })
    expect([hostOf(held), hostOf(bob), dispatcher.length]).toEqual([null, null, 3])
    running.lease?.release()
    expect([hostOf(bob), hostOf(held)]).toEqual(['home', null])
    bob.lease?.release()
    expect(hostOf(held)).toBe('home')
    expect(hostOf(more)).toBeNull()
  })

  it('of an interactive one before a default one of the same key', () => {
    const { ask, running } = scene()
    const [usual, urgent] = [ask('m', atHome), ask('m', { ...atHome, class: 'interactive' })]
    running.lease?.release()
    expect([hostOf(urgent), hostOf(usual)]).toEqual(['home', null])
  })
})

describe('for how long', () => {
  it('until exactly as long as it is better; then it takes at once what is free elsewhere', async () => {
    const { ask, clock, ended } = scene()
    const held = ask('m', atHome)
    await clock.advance(waitMsMax - 1)
    expect(hostOf(held)).toBeNull()
    await clock.advance(1)
    expect([hostOf(held), ended]).toEqual(['other', ['let_go']])
    expect(clock.pendingTimers).toBe(0)
  })

  it('where nothing is free by then it waits on, where it came, for any host, and for none twice', async () => {
    const all = scene({ slots: 1 })
    const { ask, clock, other, running, dispatcher } = all
    const held = ask('m', { ...atHome, key: 'alice' })
    const [elsewhere] = fill(all, other)
    const later = ask('m', { key: 'alice' })
    await clock.advance(waitMsMax)
    expect([...dispatcher.waiting()].map(({ heldFor }) => heldFor)).toEqual([null, null])
    elsewhere?.lease?.release()
    expect([hostOf(held), hostOf(later)]).toEqual(['other', null])
    running.lease?.release()
    expect(hostOf(later)).toBe('home')
  })

  it('and is before nobody then that was served less', async () => {
    const all = scene({ slots: 1 })
    const { ask, clock, other } = all
    const held = ask('m', { ...atHome, key: 'alice' })
    const [elsewhere] = fill(all, other, 'alice')
    const bob = ask('m', { key: 'bob' })
    elsewhere?.lease?.bill.generated(1_000)
    await clock.advance(waitMsMax)
    elsewhere?.lease?.release()
    expect([hostOf(bob), hostOf(held)]).toEqual(['other', null])
  })

  it('no longer than its patience, at the end of which it is not refused while a host is free', async () => {
    const { ask, clock, waits } = scene()
    const held = ask('m', { ...atHome, patienceMs: 2_000 })
    expect(held.turn.estimate()?.p90Ms).toBe(2_000)
    await clock.advance(2_000)
    expect([hostOf(held), held.error, waits.at(-1)]).toEqual(['other', null, 'granted'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('and is refused at the end of its patience where none is', async () => {
    const all = scene({ slots: 1 })
    const { ask, clock, other } = all
    const held = ask('m', { ...atHome, patienceMs: 2_000 })
    fill(all, other)
    await clock.advance(2_000)
    expect(held.error?.code).toBe('queue_timeout')
    expect(clock.pendingTimers).toBe(0)
  })

  it('is asked again for a slot that came free in the line, and waits for its host once at the most', async () => {
    const all = scene({ slots: 1 })
    const { ask, clock, other, ended } = all
    const [elsewhere] = fill(all, other)
    // Nothing is free: it waits for any host.
    const waiting = ask('m', { ...atHome, key: 'alice' })
    expect(waiting.lease).toBeNull()
    elsewhere?.lease?.release()
    // It had its turn at the other host, and took none: whoever comes next takes that.
    expect(hostOf(waiting)).toBeNull()
    const next = ask('m', { key: 'bob' })
    expect(hostOf(next)).toBe('other')
    await clock.advance(waitMsMax)
    next.lease?.release()
    expect([hostOf(waiting), ended]).toEqual(['other', ['let_go']])
  })
})

describe('what ends it', () => {
  it.each<[string, (parts: { home: Host; dispatcher: { hostsChanged(): void } }) => void]>([
    ['goes down', ({ home }) => home.connectFailed('connection refused')],
    ['is paused', ({ home }) => home.pause()],
    ['has lost the model', ({ home }) => home.modelGone('m')],
  ])('its host %s: it goes to another one at once', (_what, happens) => {
    const all = scene()
    const held = all.ask('m', atHome)
    happens(all)
    all.dispatcher.hostsChanged()
    expect([hostOf(held), all.ended]).toEqual(['other', ['host_gone']])
    expect(all.clock.pendingTimers).toBe(0)
  })

  it('its host goes and no other is free: it waits for any, and nothing is left of its wait for one', () => {
    const all = scene({ slots: 1 })
    const held = all.ask('m', { ...atHome, class: 'interactive' })
    fill(all, all.other)
    all.home.pause()
    all.dispatcher.hostsChanged()
    expect([...all.dispatcher.waiting()].map(({ request, heldFor }) => [request.prompt, heldFor])).toEqual([
      [atHome.prompt, null],
    ])
    // Its patience.
    expect([held.lease, all.clock.pendingTimers]).toEqual([null, 1])
  })

  it('its client leaves: the slot goes to the next, and no timer is left', () => {
    const { ask, running, clock, ended, dispatcher } = scene()
    const [left, next] = [ask('m', atHome), ask('m', atHome)]
    left.turn.leave()
    running.lease?.release()
    expect([left.lease, hostOf(next), ended, dispatcher.length]).toEqual([null, 'home', ['left', 'granted'], 0])
    expect(clock.pendingTimers).toBe(0)
  })

  it('the line closes: it is refused like any other', () => {
    const { ask, clock, dispatcher } = scene()
    const held = ask('m', atHome)
    dispatcher.close(new GatewayError('gateway_shutting_down', 'The gateway is stopping.'))
    expect([held.error?.code, dispatcher.length, clock.pendingTimers]).toEqual(['gateway_shutting_down', 0, 0])
  })

  it('the line pauses: nobody is given anything, and it is served when the line goes on', async () => {
    const { ask, clock, dispatcher, running } = scene()
    const [first, second] = [ask('m', atHome), ask('m', atHome)]
    dispatcher.pause()
    running.lease?.release()
    await clock.advance(waitMsMax)
    expect([hostOf(first), hostOf(second)]).toEqual([null, null])
    dispatcher.resume()
    expect([first, second].map(hostOf)).not.toContain(null)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('with the rest of the line', () => {
  it('where the line has no room for it, it takes the slot that is free and is not refused', () => {
    const clock = new FakeClock()
    const hosts = [
      knownHost('home', { slots: 1, parts: { clock } }),
      knownHost('other', { slots: 4, parts: { clock } }),
      knownHost('third', { slots: 1, lists: ['n'], parts: { clock } }),
    ]
    const balancer = balancerOf({ clock, makePolicy: homing })
    const { ask, rejections } = line(hosts, { clock, balancer, lengthMax: 1 })
    for (const askFirst of [() => ask('m', atHome), () => ask('n'), () => ask('n', { key: 'bob' })]) askFirst()
    expect(hostOf(ask('m', atHome))).toBe('other')
    expect(rejections).toEqual([])
  })

  it('nor where nobody may begin to wait just now', () => {
    const stopped = new GatewayError('overloaded', 'The gateway is short of memory.')
    let isStopped = false
    const { ask } = scene({ noWaiting: () => (isStopped ? stopped : null) })
    isStopped = true
    expect(hostOf(ask('m', atHome))).toBe('other')
  })

  it('only a newcomer waits for one host alone: who lost a slot has waited enough', () => {
    for (const place of ['sent_back', 'given_back', 'last'] as const) {
      expect(hostOf(scene().ask('m', { ...atHome, place })), place).toBe('other')
    }
  })

  it('takes no slot from bulk, whether it is new or another interactive one makes room; that one does', () => {
    const all = scene({ slots: 1 })
    const { running, gaveBack, ask } = all
    running.lease?.release()
    const bulk = ask('m', { ...atHome, class: 'bulk', giveBack: () => true, key: 'night' })
    expect(hostOf(bulk)).toBe('home')
    const held = ask('m', { ...atHome, class: 'interactive' })
    all.dispatcher.hostsChanged()
    expect([hostOf(held), gaveBack()]).toEqual([null, 0])
    fill(all, all.other)
    ask('m', { class: 'interactive', key: 'bob' })
    expect(gaveBack()).toBe(1)
  })

  it('bulk waits for one host like any other class, and counts one higher once it has waited long', async () => {
    const { ask, running, clock } = scene({ classes: { bulk: { promoteAfterMs: 1_000 } } })
    const bulk = ask('m', { ...atHome, class: 'bulk', key: 'night' })
    await clock.advance(1_000)
    const usual = ask('m', { ...atHome, key: 'night' })
    running.lease?.release()
    expect([hostOf(bulk), hostOf(usual)]).toEqual(['home', null])
  })

  it('the wait for the host that a policy reckons with grows with those that wait there', () => {
    const clock = new FakeClock()
    const [home, other] = [knownHost('home', { slots: 1, parts: { clock } }), knownHost('other', { parts: { clock } })]
    const waits: number[] = []
    const watching = (chance: Chance): Policy => ({
      choose(ask, places) {
        const place = places.find(({ host }) => host === home)
        if (place?.isFree === false) waits.push(place.slotWaitMs)
        return homing(chance).choose(ask, places)
      },
    })
    const { ask } = line([home, other], { clock, balancer: balancerOf({ clock, makePolicy: watching }) })
    for (let time = 0; time < 4; time++) ask('m', { ...atHome, tokens: { input: 800, output: 50 } })
    expect(waits).toHaveLength(3)
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits)
    expect(new Set(waits).size).toBe(3)
  })

  it('says how long it is likely to wait and by when it goes elsewhere, who is before it, and for which host', async () => {
    const all = scene()
    const { ask, clock, dispatcher, home, other } = all
    const [first, second] = [ask('m', { ...atHome, key: 'bob' }), ask('m', atHome)]
    await clock.advance(2_000)
    expect(first.turn.estimate()).toMatchObject({ position: 0, p90Ms: 3_000 })
    expect(second.turn.estimate()).toMatchObject({ position: 1, aheadInKey: 0, p90Ms: 3_000 })
    for (const { turn } of [first, second]) {
      const { p50Ms, p90Ms } = turn.estimate() ?? {}
      expect(p50Ms).toBeLessThanOrEqual(p90Ms ?? -1)
    }
    const parts = {
      dispatcher,
      hosts: [home, other],
      budget: new ByteBudget(1_000, () => {}),
      forLimits: { waiting: { requests: 0, tokens: 0 }, waitingByHolder: () => new Map() },
    }
    const view = await lineView(parts, { clock, count: 10, key: null, keysOf: () => new Map() })
    expect(view.requests.map(({ key, heldFor, position }) => [key, heldFor, position])).toEqual([
      ['bob', 'home', 0],
      ['alice', 'home', 1],
    ])
    await clock.advance(3_000)
    expect([first, second].map(hostOf)).toEqual(['other', 'other'])
  })
})
