/**
 * Requests that come at random to one of several gateways before equal hosts, in virtual time: how evenly the hosts are filled,
 * with what gateways tell each other and without. The same requests come whatever the rules, and take as long wherever they
 * are sent, so that what differs is where they were.
 */

import type { Balancer } from '../../src/balancing/balancer.ts'
import { balancingOptions, type PolicyName } from '../../src/balancing/options.ts'
import type { Host } from '../../src/hosts/host.ts'
import { SeededRandom } from '../soak/seeded-random.ts'
import { BusFleet } from './exchange-bus.ts'
import { FakeClock } from './fake-clock.ts'
import { knownHost } from './known-hosts.ts'
import { askFor, placeAt } from './places.ts'

export interface HerdRules {
  readonly gateways: number
  readonly policy: PolicyName
  /** What they know of each other: nothing; what beats tell; and what the answer of a slot that was asked for tells, too. */
  readonly knows: 'nothing' | 'beats' | 'beats and slots'
  readonly perSecond: number
  readonly tookMs: number
  readonly requests: number
  readonly seed: number
}

export interface Herd {
  /** Mean over requests of how many ran at the host of each, itself included. */
  readonly crowd: number
  /** The same, had each gone to the host with the fewest. */
  readonly least: number
}

const hostsCount = 4
/** More than are ever taken. */
const slots = 64
const beatEveryMs = 200
const output = 100

interface Due {
  readonly atMs: number
  readonly happens: () => void
}

/**
 * One host has just become free and all others have `before`: so many requests come at once, each to another gateway in turn,
 * before anybody beats. How many of them each host is sent, the free one first.
 */
export function rushOf(
  gateways: number,
  knows: HerdRules['knows'],
  requests: number,
  before: number,
): readonly number[] {
  const clock = new FakeClock()
  const chances = new SeededRandom(1)
  const fleet = new BusFleet(clock)
  const members = Array.from({ length: gateways }, (_, at) => {
    const hosts = Array.from({ length: hostsCount }, (_host, number) =>
      knownHost(`h${number}`, { slots, parts: { clock } }),
    )
    return fleet.join(`gw-${at}`, hosts, { ...balancingOptions.parse({}), chance: () => chances.next() })
  })
  const running = [0, ...Array.from({ length: hostsCount - 1 }, () => before)]
  const sent = running.map(() => 0)
  // What was there before is of the first one, and known to all.
  for (const [number, host] of members[0]!.hosts.entries())
    for (let at = 0; at < (running[number] ?? 0); at++) send(members[0]!.balancing.balancer, host)
  if (knows !== 'nothing') fleet.beat()
  for (let at = 0; at < requests; at++) {
    const { balancing, hosts } = members[at % gateways]!
    const candidates = hosts.map((host) => ({ host, model: 'm' }))
    const ask = askFor({ tokens: { input: 100, output } })
    const decision = balancing.balancer.choose(ask, candidates, { mayWait: false, waitingFor: () => 0 })
    if (decision === null) throw new Error('no slot is free')
    const { host } = decision.place
    const number = hosts.indexOf(host)
    send(balancing.balancer, host)
    running[number] = (running[number] ?? 0) + 1
    sent[number] = (sent[number] ?? 0) + 1
    if (knows === 'beats and slots') host.elsewhere.held = (running[number] ?? 0) - host.leases.size
  }
  return sent
}

function send(balancer: Balancer, host: Host): void {
  const ask = askFor({ tokens: { input: 100, output } })
  balancer.begin(ask, placeAt(host.name, { host }), { output: 0 }).firstToken()
  host.leases.add({})
}

export function herdOf(rules: HerdRules): Herd {
  const clock = new FakeClock()
  const random = new SeededRandom(rules.seed)
  const chances = new SeededRandom(rules.seed + 1)
  const fleet = new BusFleet(clock)
  const { gateways, policy, knows, perSecond, requests } = rules
  const options = { ...balancingOptions.parse({}), policy, chance: () => chances.next() }
  const members = Array.from({ length: gateways }, (_, at) => {
    const hosts = Array.from({ length: hostsCount }, (_host, number) =>
      knownHost(`h${number}`, { slots, parts: { clock } }),
    )
    return fleet.join(`gw-${at}`, hosts, options)
  })
  const running = Array.from({ length: hostsCount }, () => 0)
  const dues: Due[] = []
  let [crowd, least] = [0, 0]

  const come = (gateway: number, tookMs: number): void => {
    const { balancing, hosts } = members[gateway % gateways]!
    const { balancer } = balancing
    const ask = askFor({ tokens: { input: 100, output } })
    const candidates = hosts.map((host) => ({ host, model: 'm' }))
    const decision = balancer.choose(ask, candidates, { mayWait: false, waitingFor: () => 0 })
    if (decision === null) throw new Error('no slot is free')
    const { place } = decision
    const number = hosts.indexOf(place.host)
    least += Math.min(...running) + 1
    const there = (running[number] ?? 0) + 1
    running[number] = there
    crowd += there
    const lease = {}
    const generated = { output: 0 }
    const assignment = balancer.begin(ask, place, generated)
    place.host.leases.add(lease)
    assignment.firstToken()
    if (knows === 'beats and slots') place.host.elsewhere.held = there - place.host.leases.size
    const end = (): void => {
      place.host.leases.delete(lease)
      assignment.end()
      running[number] = (running[number] ?? 1) - 1
    }
    dues.push({ atMs: clock.now() + tookMs, happens: end })
  }

  const beats = (id: string, atMs: number): void => {
    const happens = (): void => {
      fleet.beat(id)
      beats(id, atMs + beatEveryMs)
    }
    dues.push({ atMs, happens })
  }
  // Each at a time of its own.
  if (knows !== 'nothing') for (const { id } of members) beats(id, clock.now() + chances.next() * beatEveryMs)

  let comesAtMs = clock.now()
  for (let at = 0; at < requests; at++) {
    comesAtMs += random.gapMs(perSecond)
    for (let due = soonest(dues); due !== undefined && due.atMs <= comesAtMs; due = soonest(dues)) {
      dues.splice(dues.indexOf(due), 1)
      clock.advanceSync(Math.max(0, due.atMs - clock.now()))
      due.happens()
    }
    clock.advanceSync(comesAtMs - clock.now())
    // Answers are of different lengths, whatever was expected.
    come(random.between(0, 7), rules.tookMs * (0.25 + 1.5 * random.next()))
  }
  return { crowd: crowd / requests, least: least / requests }
}

function soonest(dues: readonly Due[]): Due | undefined {
  let first: Due | undefined
  for (const due of dues) if (first === undefined || due.atMs < first.atMs) first = due
  return first
}
