/** What hosts do for other gateways: told in full or in part, lost, out of date, or of nobody. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Elsewhere, nothingElsewhere, staleAfterMs, WorkElsewhere } from '../../../src/balancing/work-elsewhere.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

interface Gateway {
  readonly work: WorkElsewhere
  readonly hosts: Host[]
  readonly own: Map<string, Elsewhere>
  readonly changed: string[]
  readonly at: (name: string) => Elsewhere
}

function gateway(clock: FakeClock, names: readonly string[] = ['a', 'b']): Gateway {
  const hosts = names.map((name) => knownHost(name))
  const own = new Map<string, Elsewhere>()
  const changed: string[] = []
  const work = new WorkElsewhere({
    clock,
    hosts: () => hosts,
    own: ({ name }) => own.get(name) ?? nothingElsewhere,
    onChange: ({ name }) => void changed.push(name),
  })
  const at = (name: string): Elsewhere => {
    const host = hosts.find((one) => one.name === name)
    return host === undefined ? nothingElsewhere : work.of(host)
  }
  return { work, hosts, own, changed, at }
}

/** As it goes through JSON. */
function beat(from: Gateway, id: string, ...others: readonly Gateway[]): void {
  const told = JSON.stringify(from.work.tell())
  for (const { work } of others) work.heard(id, JSON.parse(told))
}

const some = (running: number): Elsewhere => ({ running, input: running * 1_000, output: running * 100 })

describe('what other gateways have at a host', () => {
  it('is known with the next beat, summed up, and counts as slots that are held', () => {
    const clock = new FakeClock()
    const [one, two, three] = [gateway(clock), gateway(clock), gateway(clock)]
    one.own.set('a', some(2))
    two.own.set('a', some(1)).set('b', some(3))
    beat(one, 'one', two, three)
    beat(two, 'two', one, three)
    expect([one.at('a'), two.at('a'), three.at('a')]).toEqual([some(1), some(2), some(3)])
    expect([one.at('b'), two.at('b'), three.at('b')]).toEqual([some(3), nothingElsewhere, some(3)])
    expect(three.hosts.map(({ elsewhere }) => elsewhere.held)).toEqual([3, 3])
    expect(three.changed).toEqual(['a', 'a', 'b'])
  })

  it('is told only where it has changed, but for all of it each few beats, so that what was lost is made good', () => {
    const clock = new FakeClock()
    const [one, two] = [gateway(clock), gateway(clock)]
    one.own.set('a', some(2)).set('b', some(1))
    expect(one.work.tell().rows).toHaveLength(2)
    expect(one.work.tell()).toEqual({ isAll: false, rows: [] })
    one.own.delete('b')
    one.own.set('a', some(3))
    // Lost.
    expect(one.work.tell().rows).toEqual([
      ['a', 3, 3_000, 300],
      ['b', 0, 0, 0],
    ])
    for (let beats = 0; beats < 3; beats++) beat(one, 'one', two)
    expect(two.at('a')).toEqual(some(3))
    expect(two.at('b')).toEqual(nothingElsewhere)
  })

  it('ends with what was told last, where nothing comes any more, and at once where the gateway is gone', async () => {
    const clock = new FakeClock()
    const [one, two, three] = [gateway(clock), gateway(clock), gateway(clock)]
    one.own.set('a', some(2))
    two.own.set('a', some(1))
    beat(one, 'one', three)
    await clock.advance(staleAfterMs / 2)
    beat(two, 'two', three)
    await clock.advance(staleAfterMs / 2)
    expect(three.at('a')).toEqual(some(1))
    three.work.gone('two')
    expect([three.at('a'), three.hosts[0]?.elsewhere.held, clock.pendingTimers]).toEqual([nothingElsewhere, 0, 0])
  })

  it('that a slot was taken or given back since is known when one is asked for: by that, and what it is for is guessed', () => {
    const clock = new FakeClock()
    const [one, two] = [gateway(clock), gateway(clock)]
    one.own.set('a', some(2))
    beat(one, 'one', two)
    const [a] = two.hosts
    if (a === undefined) throw new Error('no host')
    a.elsewhere.held = 3
    expect(two.at('a')).toEqual({ running: 3, input: 2_000, output: 200 + 128 })
    a.elsewhere.held = 1
    expect(two.at('a')).toEqual({ running: 1, input: 1_000, output: 100 })
    a.elsewhere.held = 0
    expect(two.at('a')).toEqual(nothingElsewhere)
    // What was told before stands no longer than until all is told again.
    for (let beats = 0; beats < 5; beats++) beat(one, 'one', two)
    expect(two.at('a')).toEqual(some(2))
  })

  it('all is told to one that has come', () => {
    const clock = new FakeClock()
    const [one, late] = [gateway(clock), gateway(clock)]
    one.own.set('a', some(1))
    one.work.tell()
    one.work.tellAllNext()
    beat(one, 'one', late)
    expect(late.at('a')).toEqual(some(1))
  })

  it('of a host that only others have changes nothing, and counts once it is there', () => {
    const clock = new FakeClock()
    const [one, two] = [gateway(clock, ['a', 'new']), gateway(clock, ['a'])]
    one.own.set('new', some(4))
    beat(one, 'one', two)
    two.hosts.push(knownHost('new'))
    beat(one, 'one', two)
    expect(two.at('new')).toEqual(some(4))
  })

  it.each([
    null,
    7,
    {},
    { rows: 'x' },
    { rows: [7] },
    { rows: [['a', -1, 0, 0]] },
    { rows: [['a', 1, null, 0]] },
    { rows: [['a', 1e9, 0, 0]] },
    { rows: [['', 1, 0, 0]] },
    { rows: Array.from({ length: 10_001 }, () => ['a', 1, 0, 0]) },
  ])('that makes no sense is refused whole and changes nothing: %j', (told) => {
    const clock = new FakeClock()
    const [one, two] = [gateway(clock), gateway(clock)]
    one.own.set('a', some(2))
    beat(one, 'one', two)
    expect(() => two.work.heard('one', told)).toThrow()
    expect(two.at('a')).toEqual(some(2))
  })

  it('is the sum of what each has, a second after the last message was lost', () => {
    const names = ['a', 'b', 'c']
    const step = fc.record({
      of: fc.nat(2),
      host: fc.constantFrom(...names),
      running: fc.nat(3),
      isLost: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clock = new FakeClock()
        const gateways = [0, 1, 2].map(() => gateway(clock, names))
        const others = (of: number): Gateway[] => gateways.filter((_, at) => at !== of)
        for (const { of, host, running, isLost } of steps) {
          gateways[of]?.own.set(host, some(running))
          for (const [at, one] of gateways.entries()) {
            if (isLost && at === of) one.work.tell()
            else beat(one, `${at}`, ...others(at))
          }
          clock.advanceSync(50)
        }
        for (let beats = 0; beats < 5; beats++) {
          for (const [at, one] of gateways.entries()) beat(one, `${at}`, ...others(at))
        }
        for (const [at, one] of gateways.entries()) {
          for (const name of names) {
            const running = others(at).reduce((sum, { own }) => sum + (own.get(name)?.running ?? 0), 0)
            expect(one.at(name)).toEqual(running === 0 ? nothingElsewhere : some(running))
          }
        }
      }),
    )
  })
})
