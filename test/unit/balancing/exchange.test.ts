/** What gateways tell each other of hosts, and what becomes of it: prompts, conversations, speeds. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { PrefixMemory } from '../../../src/balancing/prefix-memory.ts'
import type { Prompt } from '../../../src/balancing/prompt.ts'
import { assumedSpeed } from '../../../src/balancing/speed.ts'
import { digestsPerBeatMax, seedDigestsMax } from '../../../src/balancing/told-prefixes.ts'
import { namesPerBeatMax } from '../../../src/balancing/told-sessions.ts'
import { BusFleet, type ExchangingGateway } from '../../kit/exchange-bus.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor } from '../../kit/places.ts'

const hostsOf = () => [knownHost('a'), knownHost('b')]

async function fleetOf(...ids: readonly string[]) {
  const clock = new FakeClock()
  const fleet = new BusFleet(clock)
  const gateways = ids.map((id) => fleet.join(id, hostsOf()))
  await turn()
  return { clock, fleet, gateways, one: gateways[0]!, two: gateways[1]! }
}

/** As the prompt is read there, by the secret that the gateway has. */
function promptAt({ balancing }: ExchangingGateway, words: readonly string[], session: string | null = null): Prompt {
  const digests = words.map((_, at) => {
    const name = balancing.prompts.read(null, { conversation: words.slice(0, at + 1).join(), person: null }, 'ann')
    return Number.parseInt(name.session ?? '0', 36)
  })
  const ends = words.map((_, at) => 100 * (at + 1))
  const print = { digests, ends, bytes: 100 * words.length, commonCount: 0, owner: 'ann' }
  const named = balancing.prompts.read(null, { conversation: session, person: null }, 'ann')
  return { print, session: named.session }
}

function sends(at: ExchangingGateway, host: 'a' | 'b', words: readonly string[], session: string | null = null): void {
  const prompt = promptAt(at, words, session)
  const chosen = at.hosts.find(({ name }) => name === host)!
  if (prompt.print !== null) at.balancing.prefixes.remember(chosen, 'm', prompt.print)
  at.balancing.balancer.sessions.remember(chosen, askFor({ prompt }))
}

function share(at: ExchangingGateway, host: 'a' | 'b', words: readonly string[]): number {
  const prompt = promptAt(at, words)
  return at.balancing.prefixes.match(at.hosts.find(({ name }) => name === host)!, 'm', prompt.print!).share
}

function lastAt(at: ExchangingGateway, session: string): string | null {
  const prompt = promptAt(at, ['x'], session)
  return at.balancing.balancer.sessions.lastAt(askFor({ prompt }))?.name ?? null
}

describe('prompts that one gateway sent somewhere', () => {
  it('are known to the others with the next beat, by one secret of all, and at that host alone', async () => {
    const { fleet, one, two } = await fleetOf('one', 'two')
    expect(one.balancing.prompts.secret).toBe(two.balancing.prompts.secret)
    sends(one, 'a', ['Hi', 'there', 'you'])
    expect(share(two, 'a', ['Hi', 'there'])).toBe(0)
    fleet.beat()
    expect([share(two, 'a', ['Hi', 'there']), share(two, 'a', ['Hi', 'there', 'you', 'all'])]).toEqual([1, 0.75])
    expect([share(two, 'b', ['Hi']), share(two, 'a', ['Ho'])]).toEqual([0, 0])
  })

  it('are told once, not back, and again when they were used for long, so that nobody forgets how they begin', async () => {
    const { clock, fleet, one, two } = await fleetOf('one', 'two')
    const charsOf = (send: () => void): number => {
      fleet.chars.clear()
      send()
      fleet.beat()
      return fleet.chars.get('prefixes') ?? 0
    }
    const first = charsOf(() => sends(one, 'a', ['Hi', 'there']))
    expect(charsOf(() => sends(one, 'a', ['Hi', 'there']))).toBe(0)
    expect(charsOf(() => sends(two, 'a', ['Hi', 'there']))).toBe(0)
    const more = charsOf(() => sends(two, 'a', ['Hi', 'there', 'you']))
    expect(more).toBeGreaterThan(0)
    expect(more).toBeLessThan(first)
    clock.advanceSync(11 * 60_000)
    expect(charsOf(() => sends(two, 'a', ['Hi', 'there']))).toBe(first)
  })

  it('are not heard by another secret, and one that nobody could ask for the secret asks again', async () => {
    const { clock, fleet, two } = await fleetOf('one', 'two')
    const late = new BusFleet(clock)
    late.isSecretAway = true
    const stranger = late.join('stranger', hostsOf())
    await turn()
    sends(stranger, 'a', ['Hi'])
    late.beat()
    await turn()
    expect(late.chars.get('prefixes')).toBeUndefined()
    late.isSecretAway = false
    late.beat()
    await turn()
    sends(stranger, 'a', ['Hi', 'there'])
    late.beat()
    expect(late.chars.get('prefixes')).toBeGreaterThan(0)
    const digest = Buffer.alloc(8)
    digest.writeDoubleLE(promptAt(two, ['Hi']).print!.digests[0]!)
    const rows = [['a', 'm', digest.toString('base64')]]
    fleet.hear('two', 'prefixes', 'x', { mark: 'other', rows })
    expect(share(two, 'a', ['Hi'])).toBe(0)
    fleet.hear('two', 'prefixes', 'x', { mark: two.balancing.prompts.mark, rows })
    expect(share(two, 'a', ['Hi'])).toBe(1)
  })

  it('stand when the store was emptied: the secret that all have is kept again', async () => {
    const { fleet, one, two } = await fleetOf('one', 'two')
    sends(one, 'a', ['Hi'])
    fleet.beat()
    const before = fleet.secret
    fleet.secret = null
    for (const { epoch } of fleet.members.values()) for (const heard of epoch) heard()
    await turn()
    expect(fleet.secret).toBe(before)
    expect(share(two, 'a', ['Hi'])).toBe(1)
  })

  it('of a host that is down here, or unknown, are nothing', async () => {
    const { fleet, one, two } = await fleetOf('one', 'two')
    two.hosts[0]!.connectFailed('connection refused')
    sends(one, 'a', ['Hi'])
    fleet.beat()
    expect(share(two, 'a', ['Hi'])).toBe(0)
    expect(two.balancing.prefixes).toBeInstanceOf(PrefixMemory)
  })

  it('are told to one that starts, by one of the others, as far as they are of the last minutes', async () => {
    const { clock, fleet, one } = await fleetOf('one', 'two')
    sends(one, 'a', ['old'])
    clock.advanceSync(11 * 60_000)
    for (let at = 0; at < 300; at++) sends(one, 'a', [`${at}`, 'and'])
    fleet.beat()
    const late = fleet.join('late', hostsOf())
    await turn()
    fleet.chars.clear()
    for (let beats = 0; beats < 6; beats++) fleet.beat()
    expect([share(late, 'a', ['0', 'and']), share(late, 'a', ['299', 'and']), share(late, 'a', ['old'])]).toEqual([
      1, 1, 0,
    ])
    // 600 digests of 8 bytes, told by one.
    expect(fleet.chars.get('prefixes')).toBeLessThan(600 * 11 + 100)
  })

  it('are bounded in each beat, and what one that starts is told is so in all', async () => {
    const { fleet, one, two } = await fleetOf('one', 'two')
    for (let at = 0; at < seedDigestsMax; at++) sends(one, 'a', [`${at}`, 'and'])
    fleet.beat()
    expect(fleet.chars.get('prefixes')).toBeLessThan(digestsPerBeatMax * 11 + 100)
    expect(share(two, 'a', ['1', 'and'])).toBe(1)
    fleet.join('late', hostsOf())
    await turn()
    fleet.chars.clear()
    for (let beats = 0; beats < 20; beats++) fleet.beat()
    expect(fleet.chars.get('prefixes')).toBeLessThan(seedDigestsMax * 11 + 1_000)
  })

  it.each([
    7,
    {},
    [['a']],
    [['a', 'm', 7]],
    [['', 'm', 'AAAA']],
    [['a', 'm', Buffer.alloc(8, 0xff).toString('base64')]],
  ])('that make no sense are refused: %j', async (rows) => {
    const { fleet, two } = await fleetOf('one', 'two')
    const { mark } = two.balancing.prompts
    expect(() => fleet.hear('two', 'prefixes', 'one', { mark, rows })).toThrow()
    expect(() => fleet.hear('two', 'prefixes', 'one', null)).toThrow()
  })
})

describe('conversations that clients name', () => {
  it('are found again at the host where another gateway sent them last', async () => {
    const { fleet, one, two } = await fleetOf('one', 'two')
    sends(one, 'a', ['x'], 'talk')
    fleet.beat()
    expect(lastAt(two, 'talk')).toBe('a')
    fleet.chars.clear()
    sends(two, 'a', ['x'], 'talk')
    fleet.beat()
    expect(fleet.chars.get('sessions')).toBeUndefined()
    sends(two, 'b', ['x'], 'talk')
    fleet.beat()
    expect([lastAt(one, 'talk'), lastAt(one, 'other')]).toEqual(['b', null])
  })

  it('are so many in a beat at the most', async () => {
    const { fleet, one, two } = await fleetOf('one', 'two')
    for (let at = 0; at <= namesPerBeatMax; at++) sends(one, 'a', ['x'], `talk ${at}`)
    fleet.beat()
    expect([lastAt(two, 'talk 0'), lastAt(two, `talk ${namesPerBeatMax}`)]).toEqual(['a', null])
    expect(() => fleet.hear('two', 'sessions', 'one', { mark: two.balancing.prompts.mark, rows: [['x', 7]] })).toThrow()
  })
})

describe('speeds that one gateway has learned', () => {
  const answers = ({ balancing, hosts }: ExchangingGateway, stepMs: number, count = 40): void => {
    for (let at = 0; at < count; at++) {
      balancing.speeds.observe(hosts[0]!, 'm', {
        inputRead: 1_000,
        inputAhead: 0,
        firstTokenMs: 5_000,
        timePerOutputTokenMs: stepMs,
        outputTokens: 300,
        together: 1,
        beganAtMs: at,
      })
    }
  }
  const decodeAt = ({ balancing, hosts }: ExchangingGateway, at = 0): number =>
    balancing.speeds.of(hosts[at]!, 'm').decodeTokensPerSecond

  it('are the first belief of the others, who have no answers of their own, of that host and more than of others', async () => {
    const { clock, fleet, one, two } = await fleetOf('one', 'two')
    expect(decodeAt(two)).toBe(assumedSpeed.decodeTokensPerSecond)
    answers(one, 100)
    for (let beats = 0; beats < 25; beats++) fleet.beat()
    clock.advanceSync(1_001)
    expect(decodeAt(two)).toBeGreaterThan(9)
    expect(decodeAt(two)).toBeLessThan(11.5)
    expect(two.balancing.speeds.of(two.hosts[0]!, 'm').samples).toBe(0)
    // The model is the same at the other host.
    expect(decodeAt(two, 1)).toBeLessThan(12)
    expect([...two.balancing.speeds.all()]).toEqual([])
  })

  it('give way to answers of its own, and are not told on', async () => {
    const { clock, fleet, one, two } = await fleetOf('one', 'two')
    answers(one, 100)
    for (let beats = 0; beats < 25; beats++) fleet.beat()
    fleet.leave('one')
    const three = fleet.join('three', hostsOf())
    for (let beats = 0; beats < 25; beats++) fleet.beat()
    clock.advanceSync(1_001)
    expect(decodeAt(three)).toBe(assumedSpeed.decodeTokensPerSecond)
    answers(two, 20)
    expect(decodeAt(two)).toBeGreaterThan(45)
  })

  it.each([7, [[]], [['a', 'm', 1, 1, 1, 1, 1]], [['a', 'm', 0, 1, 1, 1, 1, 1]], [['a', 'm', 1, 1, 1, 2, 1, 1]]])(
    'that make no sense are refused: %j',
    async (rows) => {
      const { fleet } = await fleetOf('one', 'two')
      expect(() => fleet.hear('two', 'speeds', 'one', rows)).toThrow()
    },
  )

  it('are gone with the host', async () => {
    const { clock, fleet, one, two } = await fleetOf('one', 'two')
    answers(one, 100)
    for (let beats = 0; beats < 25; beats++) fleet.beat()
    two.balancing.speeds.forget(two.hosts[0]!)
    clock.advanceSync(1_001)
    expect(decodeAt(two)).toBe(assumedSpeed.decodeTokensPerSecond)
  })
})
