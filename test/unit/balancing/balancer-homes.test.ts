/** Conversations that come to another gateway with each turn, in virtual time: how often they find the host that has read them. */
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Assignment } from '../../../src/balancing/assignment.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { BusFleet } from '../../kit/exchange-bus.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor } from '../../kit/places.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'

const hostNames = ['a', 'b', 'c', 'd']
const conversations = 100
const turns = 8
/** Each beginning of a prompt. */
const blockTokens = 250
const runningAtOnce = 16

interface Running {
  readonly assignment: Assignment
  readonly host: Host
  readonly lease: object
}

/** Of turns that go on from one before, the share that went where that was; of all tokens, the share that was read anew. */
async function found(gateways: number, areTold: boolean): Promise<{ home: number; anew: number }> {
  const clock = new FakeClock()
  const random = new SeededRandom(7)
  const fleet = new BusFleet(clock)
  const members = Array.from({ length: gateways }, (_, at) =>
    fleet.join(
      `gw-${at}`,
      hostNames.map((name) => knownHost(name, { slots: 64, parts: { clock } })),
      { chance: () => random.next() },
    ),
  )
  await turnOfLoop()
  let digest = 0
  const talks = Array.from({ length: conversations }, () => ({
    digests: Array.from({ length: 8 }, () => ++digest),
    last: '',
  }))
  const read = new Map(hostNames.map((name) => [name, new Set<number>()]))
  const running: Running[] = []
  let [home, anew, all] = [0, 0, 0]
  for (let turn = 0; turn < turns; turn++) {
    for (const talk of talks) {
      if (turn > 0) talk.digests.push(++digest, ++digest)
      const { balancing, hosts } = members[Math.floor(random.next() * gateways)]!
      const { balancer } = balancing
      const digests = [...talk.digests]
      const ends = digests.map((_, at) => 1_000 * (at + 1))
      const print = { digests, ends, bytes: 1_000 * digests.length, commonCount: 0, owner: 'ann' }
      const ask = askFor({
        tokens: { input: digests.length * blockTokens, output: 200 },
        prompt: { print, session: null },
      })
      const candidates = hosts.map((host) => ({ host, model: 'm' }))
      const decision = balancer.choose(ask, candidates, { mayWait: false, waitingFor: () => 0 })
      const { place } = decision!
      const there = read.get(place.host.name)!
      anew += digests.filter((one) => !there.has(one)).length
      all += digests.length
      if (talk.last === place.host.name) home++
      talk.last = place.host.name
      for (const one of digests) there.add(one)
      const assignment = balancer.begin(ask, place, { output: 0 })
      assignment.firstToken()
      const lease = {}
      place.host.leases.add(lease)
      running.push({ assignment, host: place.host, lease })
      const ended = running.length > runningAtOnce ? running.shift() : undefined
      ended?.assignment.end()
      ended?.host.leases.delete(ended.lease)
      clock.advanceSync(200)
      if (areTold) fleet.beat()
    }
  }
  return { home: home / (conversations * (turns - 1)), anew: anew / all }
}

it('as often as before one gateway, where they tell each other, and far less often where they do not', async () => {
  const one = await found(1, false)
  expect(one.home).toBeGreaterThan(0.99)
  for (const gateways of [2, 4]) {
    const told = await found(gateways, true)
    expect(told.home).toBeGreaterThan(0.99)
    expect(told.anew).toBeLessThan(one.anew * 1.02)
    const untold = await found(gateways, false)
    expect(untold.home).toBeLessThan(0.75)
    expect(untold.anew).toBeGreaterThan(one.anew * 1.4)
  }
})
