/** Where a key begins that comes again to one of several gateways. */
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { beat, beatAll, fleet } from './counting-gateways.ts'

describe('a key that comes again', () => {
  it('is lifted to the least of those who wait, wherever they do', () => {
    const [one, two] = fleet(2)
    one.serves('least', 50)
    one.serves('more', 500)
    two.serves('here', 200)
    one.waits('least')
    one.waits('more')
    two.waits('here')
    beatAll([one, two])
    const flow = two.flow('new')
    two.flows.returns(flow, two.host(), 400)
    expect(two.counter('new')).toBe(100)
  })

  it('is not lifted where it waits elsewhere as the least of all', () => {
    const [one, two] = fleet(2)
    one.waits('x')
    two.waits('y')
    two.serves('y', 500)
    beatAll([one, two])
    two.flows.returns(two.flow('x'), two.host(), 1_000)
    expect(two.counter('x')).toBe(0)
  })

  it('where nobody waits is lifted to whoever had a slot last, wherever that was', () => {
    const [one, two] = fleet(2)
    one.serves('x', 500)
    const bill = one.grants('x')
    beat(one, two)
    two.flows.returns(two.flow('y'), two.host(), null)
    expect(two.counter('y')).toBe(1_000)
    one.ends(bill)
  })

  it('was lifted at one gateway is lifted at the others once it is served there', () => {
    const [one, two] = fleet(2)
    one.flows.returns(one.flow('x'), one.host(), 5_000)
    one.serves('x', 10)
    beat(one, two)
    expect([one.counter('x'), two.counter('x')]).toEqual([5_020, 5_020])
    two.flows.returns(two.flow('x'), two.host(), 5_000)
    two.serves('x', 10)
    beatAll([one, two])
    expect([one.counter('x'), two.counter('x')]).toEqual([5_040, 5_040])
  })

  it('is not given back what a lift took in of what was expected elsewhere', () => {
    const [one, two] = fleet(2)
    const bill = one.grants('x', 1_000)
    beat(one, two)
    two.flows.returns(two.flow('x'), two.host(), 600)
    expect(two.counter('x')).toBe(1_000)
    bill.correct({ input: 1_000, cachedInput: 1_000, output: 0 })
    one.ends(bill)
    beat(one, two)
    expect(two.counter('x')).toBe(600)
  })

  it('is not lifted by what has not been told for a second', () => {
    const clock = new FakeClock()
    const [one, two] = fleet(2, { clock })
    one.waits('x')
    beat(one, two)
    clock.advanceSync(1_001)
    two.flows.returns(two.flow('y'), two.host(), 70)
    expect(two.counter('y')).toBe(70)
  })

  it('and was lifted at two gateways at once is lifted once', () => {
    const gateways = fleet(2)
    for (const one of gateways) {
      one.flows.returns(one.flow('x'), one.host(), 5_000)
      one.serves('x', 10)
    }
    beatAll(gateways)
    expect(gateways.map((one) => one.counter('x'))).toEqual([5_040, 5_040])
  })

  it.each([
    { actual: 0, counts: 600 },
    { actual: 400, counts: 600 },
    { actual: 800, counts: 800 },
  ])('while $actual of 1,000 were served to it counts for $counts everywhere', ({ actual, counts }) => {
    const [one, two] = fleet(2)
    const bill = one.grants('x', 1_000)
    one.flows.returns(one.flow('x'), one.host(), 600)
    beat(one, two)
    bill.correct({ input: actual, cachedInput: 0, output: 0 })
    one.ends(bill)
    beat(one, two)
    expect([one.counter('x'), two.counter('x')]).toEqual([counts, counts])
  })
})
