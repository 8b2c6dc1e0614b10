/** What gateways tell each other of what each key was served, and what each makes of it. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Bill } from '../../../src/queue/bill.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { beat, beatAll, CountingGateway, fleet } from './counting-gateways.ts'

describe('what one gateway served', () => {
  it('counts at the others with its next beat, from the first token on, by key and host', () => {
    const [one, two] = fleet(2)
    one.serves('x', 50)
    one.serves('x', 10, 'b')
    one.serves('y', 5)
    expect(two.counter('x')).toBe(0)
    beat(one, two)
    expect([two.counter('x'), two.counter('x', 'b'), two.counter('y')]).toEqual([100, 20, 10])
    two.serves('x', 1)
    beat(two, one)
    expect([one.counter('x'), two.counter('x')]).toEqual([102, 102])
  })

  it('counts while it runs, the prompt as expected, and as it turned out', () => {
    const [one, two] = fleet(2)
    const bill = one.grants('x', 1_000)
    beat(one, two)
    expect(two.counter('x')).toBe(1_000)
    bill.generated(3)
    beat(one, two)
    expect(two.counter('x')).toBe(1_006)
    bill.correct({ input: 1_000, cachedInput: 900, output: 4 })
    one.ends(bill)
    beat(one, two)
    expect([one.counter('x'), two.counter('x')]).toEqual([108, 108])
    expect(two.flow('x').servedAt(two.host())).toBe(108)
  })

  it('is not told again to third ones by those who heard it', () => {
    const [one, two, three] = fleet(3)
    one.serves('x', 50)
    beat(one, two, three!)
    beat(two, one, three!)
    beat(three!, one, two)
    expect([one, two, three!].map((gateway) => gateway.counter('x'))).toEqual([100, 100, 100])
  })

  it('is made good by the next beat where one was lost, and within 16 where several were', () => {
    const [one, two] = fleet(2)
    one.serves('x', 50)
    one.shared.tell()
    beat(one, two)
    expect(two.counter('x')).toBe(100)
    one.serves('x', 1)
    for (let lost = 1; lost <= 14; lost++) one.shared.tell()
    for (let heard = 1; heard <= 3; heard++) beat(one, two)
    expect(two.counter('x')).toBe(102)
  })

  it('is kept for the others of 20,000 keys at the most, and of all that run, however long nobody can be told', () => {
    const [one] = fleet(2)
    one.grants('running', 7)
    for (let key = 0; key < 20_100; key++) one.serves(`key${key}`, 1)
    const told = new Set<string>()
    for (let beats = 0; beats < 60; beats++) {
      for (const { served } of Object.values(one.shared.tell().hosts)) for (const [id] of served) told.add(id)
    }
    expect([told.size, told.has('running'), told.has('key0')]).toEqual([20_000, true, false])
  })

  it('counts from nothing again where the teller had forgotten the key', () => {
    const [one, two] = fleet(2, { idleMax: 1 })
    one.serves('x', 50)
    beat(one, two)
    one.serves('another', 1)
    beat(one, two)
    one.serves('x', 7)
    beat(one, two)
    expect(one.counter('x')).toBe(14)
    expect(two.counter('x')).toBe(14)
  })

  it('adds to what is still known of the key where only the teller had forgotten it', () => {
    const clock = new FakeClock()
    const [one, two] = [new CountingGateway('g1', { clock, idleMax: 1 }), new CountingGateway('g2', { clock })]
    beatAll([one, two])
    one.serves('x', 50)
    beat(one, two)
    one.serves('another', 1)
    one.serves('x', 7)
    beat(one, two)
    expect(two.counter('x')).toBe(114)
  })

  it('was served in full where it is never told what became of it', () => {
    const clock = new FakeClock()
    const [one, two] = [new CountingGateway('g1', { clock, idleMax: 1 }), new CountingGateway('g2', { clock })]
    beatAll([one, two])
    const bill = one.grants('x', 1_000)
    beat(one, two)
    one.ends(bill)
    one.serves('another', 1)
    for (let lost = 1; lost <= 3; lost++) one.shared.tell()
    one.serves('x', 7)
    // What it told of the key before it had forgotten it is told again, and is known by now.
    for (let beats = 1; beats <= 20; beats++) {
      beat(one, two)
      expect([two.counter('x'), two.flow('x').servedAt(two.host())]).toEqual([1_014, 1_014])
    }
  })

  it('divides by the weight as it was charged', () => {
    const [one, two] = fleet(2)
    one.flow('x', 2)
    const flow = one.flow('x', 2)
    one.flows.granted(flow, one.host())
    flow.charge(one.host(), 30)
    beat(one, two)
    expect(two.counter('x')).toBe(30)
  })
})

describe('a gateway that comes later', () => {
  it('counts from where the others are, and nothing that was before', () => {
    const [one, two] = fleet(2)
    one.serves('x', 5_000)
    one.waits('x')
    beat(one, two)
    const late = new CountingGateway('late')
    late.waits('y')
    beat(one, late)
    // As if it had come to the one that was there before.
    expect([late.counter('y'), late.counter('x')]).toEqual([10_000, 10_000])
    one.serves('x', 1)
    beat(one, late)
    expect(late.counter('x')).toBe(10_002)
  })

  it('lifts newcomers to where the others are where nobody waits', () => {
    const [one] = fleet(2)
    one.serves('x', 5_000)
    const bill = one.grants('x')
    const late = new CountingGateway('late')
    beat(one, late)
    const flow = late.flow('y')
    late.flows.returns(flow, late.host(), null)
    expect(late.counter('y')).toBe(10_000)
    one.ends(bill)
  })

  it('leaves those alone that were there before', () => {
    const [one] = fleet(2)
    one.waits('x')
    one.serves('x', 5_000)
    const late = new CountingGateway('late')
    beat(late, one)
    expect(one.counter('x')).toBe(10_000)
  })
})

describe('a gateway that is not heard', () => {
  it('for a beat or ten is made up for', () => {
    const clock = new FakeClock()
    const [one, two] = fleet(2, { clock })
    one.serves('x', 100)
    clock.advanceSync(3_000)
    beat(one, two)
    expect(two.counter('x')).toBe(200)
  })

  it('for longer is one that comes later: nobody pays for what the other did alone, and both count from one level', () => {
    const clock = new FakeClock()
    const [one, two] = fleet(2, { clock })
    one.waits('x')
    two.waits('y')
    one.serves('x', 5_000)
    two.serves('y', 100)
    clock.advanceSync(3_001)
    beatAll([one, two])
    expect([one.counter('x'), two.counter('y')]).toEqual([10_000, 10_000])
    one.serves('x', 1)
    two.serves('y', 2)
    beatAll([one, two])
    expect([one.counter('x'), one.counter('y')]).toEqual([10_002, 10_004])
    expect([two.counter('x'), two.counter('y')]).toEqual([10_002, 10_004])
  })

  it('and is gone leaves what it served, and what its requests were expected to be', () => {
    const [one, two] = fleet(2)
    const bill = one.grants('x', 1_000)
    bill.generated(10)
    beat(one, two)
    two.shared.gone('g1')
    expect([two.counter('x'), two.flow('x').servedAt(two.host())]).toEqual([1_020, 1_020])
    two.shared.gone('g1')
    expect(two.counter('x')).toBe(1_020)
  })
})

describe('what is kept and told has bounds', () => {
  it('keys that only others served are forgotten as those that rest', () => {
    const [one, two] = fleet(2, { idleMax: 3 })
    for (let number = 1; number <= 50; number++) {
      one.serves(`stranger ${number}`, 1)
      beat(one, two)
    }
    expect([...two.flows].map(({ id }) => id)).toEqual(['stranger 48', 'stranger 49', 'stranger 50'])
    expect([...two.flows].every(({ idle }) => idle)).toBe(true)
  })

  it('one that waits here is none of these, whatever is heard of it', () => {
    const [one, two] = fleet(2, { idleMax: 1 })
    two.waits('x')
    for (const id of ['x', 'y', 'z']) one.serves(id, 1)
    beat(one, two)
    expect([...two.flows].map(({ id }) => id)).toEqual(['x', 'z'])
  })

  it('no more than so many rows in a beat, and each flow has its turn', () => {
    const [one, two] = fleet(2, { idleMax: 10_000 })
    const rowsPerBeatMax = 500
    const many = rowsPerBeatMax * 2 + 10
    const bills: Bill[] = []
    for (let number = 1; number <= many; number++) bills.push(one.grants(`key ${number}`))
    const grow = () => {
      for (const bill of bills) bill.generated(1)
      const told = one.shared.tell()
      expect(told.hosts['a']!.served.length).toBeLessThanOrEqual(rowsPerBeatMax)
      two.shared.hear('g1', told)
    }
    for (let beats = 1; beats <= 3; beats++) grow()
    expect([...two.flows]).toHaveLength(many)
    for (let number = 1; number <= many; number++) expect(two.counter(`key ${number}`)).toBeGreaterThan(0)
  })

  it('of keys that had nothing since nothing is told after a few times more', () => {
    const [one] = fleet(2)
    one.serves('x', 10)
    const rows = Array.from({ length: 40 }, () => one.shared.tell().hosts['a']!.served.length)
    expect(rows.flatMap((row, beats) => (row > 0 ? [beats] : []))).toEqual([0, 1, 2, 4, 8, 16])
  })

  it('what was told longest ago is forgotten of very many keys, and none of it counts twice', {
    timeout: 60_000,
  }, () => {
    const clock = new FakeClock()
    const keys = 10_010
    const [one, two] = [
      new CountingGateway('g1', { clock, idleMax: 2 * keys }),
      new CountingGateway('g2', { clock, idleMax: 2 * keys }),
    ]
    beatAll([one, two])
    one.serves('x', 50)
    beat(one, two)
    for (let number = 1; number <= keys; number++) one.serves(`key ${number}`, 1)
    for (let beats = 1; beats <= 2 * (keys / 500); beats++) beat(one, two)
    one.serves('x', 50)
    for (let beats = 1; beats <= 2 * (keys / 500); beats++) beat(one, two)
    expect([...two.flows]).toHaveLength(keys + 1)
    expect(two.counter('x')).toBeGreaterThanOrEqual(100)
    expect(two.counter('x')).toBeLessThanOrEqual(200)
  })

  it('nothing is kept of a host that has gone', () => {
    const [one, two] = fleet(2)
    const bill = one.grants('x', 1_000)
    beat(one, two)
    two.flows.forget(two.host())
    expect(two.counter('x')).toBe(0)
    two.shared.gone('g1')
    expect([two.counter('x'), two.flow('x').servedAt(two.host())]).toEqual([0, 0])
    one.ends(bill)
  })
})

it.each([
  null,
  7,
  'x',
  [],
  {},
  { beat: 1 },
  { beat: 1, hosts: [] },
  { beat: 'x', hosts: {} },
  { beat: 1, hosts: { a: null, b: 1, elsewhere: { least: null, last: 1, served: [] } } },
  { beat: 1, hosts: { a: { least: 'x', last: 1, served: [] } } },
  { beat: 1, hosts: { a: { least: null, last: null, served: [['x', 1, 1e9, 0, 0]] } } },
  { beat: 1, hosts: { a: { least: null, last: 0, served: [null, {}, ['x'], ['x', 1, 'y', 0, 0], [1, 1, 1, 1, 1]] } } },
  JSON.parse('{"beat":1,"hosts":{"__proto__":{"least":null,"last":5,"served":[]}}}'),
])('what is no message of its kind changes nothing: %j', (told) => {
  const [, two] = fleet(2)
  two.shared.hear('stranger', told)
  expect([...two.flows]).toEqual([])
  two.flows.returns(two.flow('x'), two.host(), null)
  expect(two.counter('x')).toBe(0)
})

const isLong = process.env['TEST_LONG'] === 'true'
const tokens = fc.nat({ max: 50 })
const at = { gateway: fc.nat({ max: 2 }), key: fc.nat({ max: 2 }) }
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('grant' as const), ...at, tokens }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('generate' as const), pick: fc.nat(), tokens }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('correct' as const), pick: fc.nat(), tokens, cached: tokens }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refund' as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('beat' as const), ...at, isLost: fc.boolean() }) },
)

/** What changes no more is told six times: once more than may go wrong here. */
const lostMax = 5

it('whatever happens where, and whichever five beats of each are lost: some beats later all count the same', {
  timeout: 600_000,
}, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (steps) => {
      const gateways = fleet(3)
      const running: { readonly bill: Bill; readonly of: CountingGateway }[] = []
      const total = new Map<string, number>()
      const lost = new Map<CountingGateway, number>()
      const counted = (bill: Bill, change: () => void) => {
        const before = bill.charged
        change()
        total.set(bill.flow.id, (total.get(bill.flow.id) ?? 0) + bill.charged - before)
      }
      for (const one of steps) {
        const of = gateways['gateway' in one ? one.gateway : 0]!
        if (one.kind === 'grant') {
          const bill = of.grants(`key ${one.key}`, one.tokens)
          total.set(bill.flow.id, (total.get(bill.flow.id) ?? 0) + bill.charged)
          running.push({ bill, of })
        } else if (one.kind === 'beat') {
          const lostBefore = lost.get(of) ?? 0
          if (one.isLost && lostBefore < lostMax) {
            lost.set(of, lostBefore + 1)
            of.shared.tell()
          } else beat(of, ...gateways.filter((other) => other !== of))
        } else if (running.length > 0) {
          const picked = one.pick % running.length
          const { bill, of: its } = running[picked]!
          counted(bill, () => {
            if (one.kind === 'generate') bill.generated(one.tokens)
            else if (one.kind === 'correct') bill.correct({ input: 50, cachedInput: one.cached, output: one.tokens })
            else if (one.kind === 'refund') bill.refund()
            else its.ends(bill)
          })
          if (one.kind === 'end') running.splice(picked, 1)
        }
      }
      for (let beats = 0; beats <= 16; beats++) beatAll(gateways)
      for (const [id, cost] of total) {
        const counters = gateways.map((gateway) => gateway.counter(id))
        expect(counters).toEqual(gateways.map(() => cost))
      }
    }),
    { numRuns: isLong ? 5_000 : 200 },
  )
})
