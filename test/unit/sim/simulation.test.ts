/** A whole run: the same for a seed, nobody lost, no slot given twice, limits and leaving as in the gateway. */
import { describe, expect, it } from 'vitest'
import { Lease } from '../../../src/queue/lease.ts'
import type { Run } from '../../sim/ended.ts'
import { figuresOf } from '../../sim/figures.ts'
import { macOfTheFlood } from '../../sim/host-profile.ts'
import { type SimOrderName, simOrderNames } from '../../sim/orders.ts'
import { Simulation } from '../../sim/simulation.ts'
import { endlessMs, personal, type Stream, type Workload } from '../../sim/workload.ts'
import { arrivalsOf, poisson, randomOf } from '../../sim/workloads/arrivals.ts'
import { workloads } from '../../sim/workloads/workloads.ts'

const minutes = 60_000

interface Short {
  readonly streams?: readonly Partial<Stream>[]
  readonly perSecond?: number
  readonly slots?: number
  readonly durationMs?: number
}

/** Short requests of some streams at random, on one host. */
function short({ streams = [{}, {}], perSecond = 0.5, slots = 2, durationMs = 10 * minutes }: Short = {}): Workload {
  const named = streams.map((stream, at): Stream => {
    const name = `stream${at + 1}`
    return { name, key: name, class: 'default', objective: personal, patienceMs: endlessMs, ...stream }
  })
  const lengths = { input: { p50: 400, p95: 1_200 }, output: { p50: 60, p95: 200 } }
  const arrivals = named.flatMap((stream, at) => {
    const random = randomOf(1, at)
    return arrivalsOf(random, durationMs / 2, { stream, ...lengths }, poisson(random, perSecond))
  })
  return {
    hosts: [{ ...macOfTheFlood, slots }],
    streams: named,
    durationMs,
    arrivals: arrivals.toSorted((a, b) => a.atMs - b.atMs),
  }
}

const run = (workload: Workload, order: SimOrderName = 'token-fair') => new Simulation(workload, { order }, 1).run()

describe.each(simOrderNames)('%s', (order) => {
  it('gives the same run for the same seed', () => {
    const once = () => run(short({ perSecond: 1, slots: 1 }), order)
    const first = once()
    expect(first.told.length).toBeGreaterThan(order === 'cap-2' ? 0 : 50)
    expect(figuresOf(once())).toEqual(figuresOf(first))
  })

  it('ends every request once, with its whole answer', () => {
    const { ended } = run(short(), order)
    const { arrivals } = short()
    expect(ended).toHaveLength(arrivals.length)
    expect(new Set(ended.map(({ arrival }) => arrival)).size).toBe(arrivals.length)
    for (const { ending, arrival, written, read, firstTokenAtMs, grantedAtMs, atMs } of ended) {
      expect(ending).toBe('done')
      expect(written).toBeCloseTo(arrival.output, 5)
      expect(read).toBeCloseTo(arrival.input, 5)
      expect(grantedAtMs).toBeGreaterThanOrEqual(arrival.atMs)
      expect(firstTokenAtMs).toBeGreaterThan(grantedAtMs!)
      expect(atMs).toBeGreaterThanOrEqual(firstTokenAtMs!)
    }
  })

  it('ends every request once in an hour that leaves many waiting', () => {
    const { arrivals, ...workload } = workloads.W4.make(1)
    const { ended, written } = new Simulation({ arrivals, ...workload }, { order }, 1).run()
    expect(new Set(ended.map(({ arrival }) => arrival)).size).toBe(ended.length)
    for (const arrival of arrivals) expect(ended.some((one) => one.arrival === arrival)).toBe(true)
    expect(written).toBeCloseTo(
      ended.reduce((sum, one) => sum + one.written, 0),
      3,
    )
  })
})

it('never has more at a host than its slots, and never a free slot while somebody waits', () => {
  const simulation = new Simulation(short({ perSecond: 1, slots: 3 }), { order: 'token-fair' }, 1)
  const [host] = simulation.hosts
  let most = 0
  const look = () => {
    most = Math.max(most, host!.leases.size)
    expect(host!.leases.size).toBe(simulation.running.size)
    if (simulation.dispatcher.length > 0) expect(host!.leases.size).toBe(3)
    simulation.clock.after(101, look)
  }
  look()
  simulation.run()
  expect(most).toBe(3)
  expect(host!.leases.size).toBe(0)
})

it('with a cap no key has more than two running, while others wait or not', () => {
  const simulation = new Simulation(short({ perSecond: 1, slots: 8 }), { order: 'cap-2' }, 1)
  let most = 0
  const look = () => {
    const byKey = Map.groupBy(simulation.running, ({ arrival }) => arrival.stream.key)
    for (const running of byKey.values()) most = Math.max(most, running.length)
    simulation.clock.after(101, look)
  }
  look()
  expect(simulation.run().ended.every(({ ending }) => ending === 'done')).toBe(true)
  expect(most).toBe(2)
})

it('charges a prompt when its slot is granted and each token when it is written', () => {
  const { arrivals, ...workload } = short({ streams: [{}] })
  const arrival = { ...arrivals[0]!, atMs: 0, input: 1_200, inputExpected: 1_000, output: 200 }
  const simulation = new Simulation({ ...workload, arrivals: [arrival] }, { order: 'token-fair' }, 1)
  const charged: number[] = []
  const look = () => {
    for (const lease of simulation.hosts[0]!.leases) if (lease instanceof Lease) charged.push(lease.bill.charged)
  }
  for (const atMs of [500, 1_500, 3_000]) simulation.clock.after(atMs, look)
  simulation.run()
  // The prompt is read by the end of the first second; then there is one token, and 70 more in each second.
  expect(charged[0]).toBe(1_000)
  expect(charged[1]).toBeCloseTo(1_000 + 2 * (1 + 35), 6)
  expect(charged[2]).toBeCloseTo(1_000 + 2 * (1 + 140), 6)
  expect([...simulation.dispatcher.flows()].map((flow) => flow.counterAt(simulation.hosts[0]!))).toEqual([
    1_200 + 2 * 200,
  ])
})

it('clients that leave end as left, and what was made for them counts as wasted', () => {
  const leaving = short({ streams: [{ leavesAfterMs: 4_000 }, {}], perSecond: 0.5, slots: 1 })
  const { ended, ...rest } = run(leaving)
  expect(new Set(ended.map(({ ending }) => ending))).toEqual(new Set(['left', 'done']))
  const left = ended.filter(({ ending }) => ending === 'left')
  expect(left.length).toBeGreaterThan(10)
  for (const { arrival, atMs } of left) expect(atMs - arrival.atMs).toBeCloseTo(4_000, 6)
  const wasted = left.reduce((sum, { read, written }) => sum + read + written, 0)
  expect(wasted).toBeGreaterThan(0)
  expect(figuresOf({ ended, ...rest }).overall.wastedTokens).toBeCloseTo(wasted, 6)
})

it('patience that is over refuses', () => {
  const { ended } = run(short({ streams: [{ patienceMs: 5_000 }], perSecond: 2, slots: 1 }))
  const refused = ended.filter(({ ending }) => ending === 'refused')
  expect(refused.length).toBeGreaterThan(10)
  for (const { arrival, atMs } of refused) expect(atMs - arrival.atMs).toBeLessThan(5_000.001)
})

describe('bulk', () => {
  const bulk = { class: 'bulk' } as const
  const person = { class: 'interactive' } as const
  const [ofBulk, ofPerson] = short({ streams: [bulk, person] }).streams
  const seconds = 1_000

  /** One bulk request whose prompt takes five seconds to read, on one slot; persons come at these times and take 0.3 s each. */
  function interrupted(personsAtMs: readonly number[], patienceMs = endlessMs): Run {
    const every = { inputExpected: 100, outputMistake: 1 }
    const persons = personsAtMs.map((atMs) => ({ ...every, atMs, stream: ofPerson!, input: 120, output: 15 }))
    const long = { ...every, atMs: 0, stream: { ...ofBulk!, patienceMs }, input: 6_000, output: 70 }
    return run({ ...short({ streams: [bulk, person], slots: 1 }), arrivals: [long, ...persons] })
  }
  const endsOf = ({ ended }: Run) =>
    ended.map(({ arrival, atMs }) => [arrival.stream.class, Math.round(atMs / 100) / 10])

  it('gives its slot back to a person before its first token, and what was read for it is wasted', () => {
    const given = interrupted([2 * seconds])
    expect(endsOf(given)).toEqual([
      ['interactive', 2.3],
      ['bulk', 2.3 + 6],
    ])
    expect(figuresOf(given).overall.wastedTokens).toBeCloseTo(2 * 1_200, 6)
  })

  it('keeps its slot after its first token', () => {
    const kept = interrupted([5.5 * seconds])
    expect(endsOf(kept)).toEqual([
      ['bulk', 6],
      ['interactive', 6.3],
    ])
    expect(figuresOf(kept).overall.wastedTokens).toBe(0)
  })

  it('gives it back three times at the most', () => {
    expect(endsOf(interrupted([1, 2, 3, 4].map((second) => second * seconds)))).toEqual([
      ['interactive', 1.3],
      ['interactive', 2.3],
      ['interactive', 3.3],
      ['bulk', 3.3 + 6],
      ['interactive', 3.3 + 6.3],
    ])
  })

  it('keeps it with less than half of its patience left', () => {
    const [first] = endsOf(interrupted([3 * seconds], 5 * seconds))
    expect(first).toEqual(['bulk', 6])
  })
})

it('the bound of the gap is all slots times the dearest request, whether or not it came to its end', () => {
  const { arrivals, ...workload } = short({ slots: 3 })
  const [one, two] = arrivals
  const dearest = { ...one!, atMs: workload.durationMs - 1, input: 5_000, output: 2_000 }
  const hosts = [...workload.hosts, { ...macOfTheFlood, name: 'second', slots: 2 }]
  const result = run({ ...workload, hosts, arrivals: [{ ...two!, input: 100, output: 50 }, dearest] })
  expect(result.gapBound).toBe((3 + 2) * (5_000 + 2 * 2_000))
  expect(figuresOf(result).overall.gapBound).toBe(result.gapBound)
})

it('a key gets no more than its limit of tokens a minute, and waits for it in a line of its own', () => {
  const limits = { tokensPerMinute: 3_000 }
  const { ended } = run(short({ streams: [{ limits, patienceMs: 30_000 }, {}], slots: 8 }))
  const limited = ended.filter(({ arrival, ending }) => arrival.stream.limits !== undefined && ending === 'done')
  expect(limited.some(({ arrival, grantedAtMs }) => grantedAtMs! - arrival.atMs > 1_000)).toBe(true)
  const tokens = limited.reduce((sum, { arrival }) => sum + arrival.input + arrival.output, 0)
  const lastMinute = Math.max(...limited.map(({ grantedAtMs }) => grantedAtMs!)) / minutes
  // A minute's tokens may come at once.
  expect(tokens).toBeLessThan(3_000 * 1.2 * (lastMinute + 1))
  expect(ended.some(({ ending }) => ending === 'refused')).toBe(true)
})
