import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ResidencyWorld } from './residency-world.ts'

describe('one host that holds one model', () => {
  test('one load for all who wait, and all are served when it is there', () => {
    const world = new ResidencyWorld({ slots: 16 })
    for (let at = 0; at < 10; at++) world.ask('a')
    expect([world.running.size, world.waiting.length, world.loads]).toEqual([1, 9, 1])
    world.step(29_999)
    expect(world.waiting).toHaveLength(9)
    world.step(1)
    expect([world.running.size, world.waiting.length, world.loads]).toEqual([10, 0, 1])
  })

  test('one that nothing runs with and nobody waits for gives way at once, as long as time for loads is left', () => {
    const world = new ResidencyWorld({ loadMs: () => 4_000 })
    world.ask('a')
    world.step(9_001)
    world.ask('b')
    expect([world.loads, world.hosts[0]?.memory.loading?.model]).toEqual([2, 'b'])
  })

  test('when that is used up it is kept so long after its last use, and a host that has rested loads at once again', () => {
    // A tenth of 5 min is saved: two loads of 14 s.
    const world = new ResidencyWorld({ loadMs: () => 14_000, loadMsDefault: 14_000 })
    for (const model of ['a', 'b']) {
      world.ask(model)
      world.step(20_000)
    }
    expect(world.loads).toBe(2)
    world.ask('a')
    // Used until a second ago.
    world.step(58_980)
    expect([world.loads, world.residents]).toEqual([2, ['b']])
    world.step(30)
    expect([world.loads, world.hosts[0]?.memory.loading?.model]).toEqual([3, 'a'])
    world.step(1_500_000)
    world.ask('b')
    world.step(20_000)
    world.ask('a')
    expect(world.loads).toBe(5)
  })

  test('twice its load, where that is longer', () => {
    // More than what is saved.
    const world = new ResidencyWorld({ loadMs: () => 100_000, loadMsDefault: 100_000 })
    world.ask('a')
    world.step(106_000)
    world.ask('b')
    world.step(198_990)
    expect(world.loads).toBe(1)
    world.step(20)
    expect(world.loads).toBe(2)
  })

  test('one that is wanted on and on gives way when its quantum is over: nothing new begins with it, nothing is cut', () => {
    const world = new ResidencyWorld({ slots: 2 })
    world.ask('a')
    world.step(30_000)
    world.ask('b')
    // Loads may take a tenth of the time: 30 s of load are followed by 270 s of service.
    let servedMs = 0
    while (world.loads === 1 && servedMs < 400_000) {
      while (world.waiting.filter(({ model }) => model === 'a').length < 2) world.ask('a')
      world.step(1_000)
      servedMs += 1_000
    }
    expect(servedMs).toBeGreaterThanOrEqual(270_000)
    expect(servedMs).toBeLessThanOrEqual(270_000 + 5_000 + 1_000)
    expect(world.faults).toEqual([])
  })

  test('of those that wait for it, the one that was longest away has the next turn', () => {
    const world = new ResidencyWorld({ slots: 2 })
    const [host] = world.hosts
    if (host === undefined) throw new Error('no host')
    world.ask('a')
    world.step(400_000)
    world.ask('b')
    world.step(31_000)
    // The one was in memory until then, the other never.
    world.ask('a')
    world.ask('c')
    for (let second = 0; second < 400 && world.planner.turnAt(host) === null; second += 2) {
      world.ask('b')
      world.step(2_000)
    }
    expect(world.planner.turnAt(host)).toBe('c')
  })

  test('a turn that nobody wants any more is no turn: what was let run out goes on', () => {
    const world = new ResidencyWorld({ slots: 1 })
    world.ask('a')
    world.step(400_000)
    world.ask('a')
    world.ask('b')
    expect(world.planner.turnAt(world.hosts[0]!)).toBe('b')
    expect(world.planner.access(world.hosts[0]!, 'a').admits).toBe(false)
    world.waiting.length = 0
    world.serve()
    expect(world.planner.turnAt(world.hosts[0]!)).toBeNull()
    expect(world.planner.access(world.hosts[0]!, 'a').admits).toBe(true)
  })

  test('no more loads in an hour than it may have, and who waits is told why', () => {
    const world = new ResidencyWorld({ loadsPerHourMax: 2, loadShareMax: 0.9, keepMsMin: 0, loadMs: () => 1_000 })
    for (const model of ['a', 'b', 'c']) {
      world.ask(model)
      world.step(60_000)
    }
    expect([world.loads, world.waiting.map(({ model }) => model)]).toEqual([2, ['c']])
    expect(world.planner.waitOf(world.candidates('c'))).toMatchObject({ obstacle: 'loads_per_hour', forMs: null })
    world.step(3_600_000 - 180_000 + 10)
    expect(world.loads).toBe(3)
  })

  test('the last quarter of the loads of an hour is for whoever caused none of them', () => {
    const world = new ResidencyWorld({ loadsPerHourMax: 8, loadShareMax: 0.9, keepMsMin: 0, loadMs: () => 1_000 })
    for (let times = 0; times < 8; times++) {
      world.ask(times % 2 === 0 ? 'b' : 'c', 'greedy')
      world.step(60_000)
    }
    expect([world.loads, world.waiting.map(({ model }) => model)]).toEqual([6, ['b']])
    expect(world.planner.mayLoadFor('greedy', world.candidates('a')[0]!)).toBe(false)
    expect(world.planner.mayLoadFor('modest', world.candidates('a')[0]!)).toBe(true)
    world.ask('a', 'modest')
    expect([world.loads, world.hosts[0]?.memory.loading?.model]).toEqual([7, 'a'])
  })

  test('one load that took many times as long as others makes nobody wait for hours', () => {
    const world = new ResidencyWorld({ loadMs: () => 700_000 })
    world.ask('a')
    world.step(700_000)
    world.ask('b')
    let servedMs = 0
    for (; world.loads === 1 && servedMs < 7_200_000; servedMs += 2_000) {
      world.ask('a')
      world.step(2_000)
    }
    // Nine times twice what is expected of a load.
    expect(servedMs).toBeGreaterThan(500_000)
    expect(servedMs).toBeLessThanOrEqual(9 * 2 * 30_000 + 12_000)
  })

  test('when no time for loads is saved, a model that few ask for gives way to a long line for another, and not to a short one', () => {
    const world = new ResidencyWorld({ loadMs: () => 110_000 })
    world.ask('a')
    world.step(116_000)
    for (let times = 0; times < 2; times++) world.ask('b')
    world.step(1_000)
    expect(world.loads).toBe(1)
    world.ask('b')
    expect([world.loads, world.hosts[0]?.memory.loading?.model]).toEqual([2, 'b'])
  })

  test('no sooner where loads have had their share of the hour', () => {
    const world = new ResidencyWorld({ loadMs: () => 340_000 })
    world.ask('a')
    world.step(346_000)
    for (let times = 0; times < 20; times++) world.ask('b')
    world.step(1_000)
    expect(world.loads).toBe(1)
  })

  test('nothing is put out while others than the gateway are served there, and nobody is kept out for that', () => {
    const world = new ResidencyWorld()
    const [host] = world.hosts
    if (host === undefined) throw new Error('no host')
    world.ask('a')
    world.step(400_000)
    const told = (running: number): void => {
      host.signals.told({ running }, { own: 0, askedAtMs: world.clock.now(), everyMs: 5_000 })
    }
    told(1)
    world.ask('b')
    expect(world.planner.waitOf(world.candidates('b'))).toMatchObject({ obstacle: 'foreign', expectedMs: null })
    expect([world.loads, world.planner.turnAt(host)]).toEqual([1, null])
    world.ask('a')
    expect(world.waiting.map(({ model }) => model)).toEqual(['b'])
    world.step(6_000)
    told(0)
    // Nobody tells the planner: it looks again.
    world.step(1_002)
    expect([world.loads, host.memory.loading?.model]).toEqual([2, 'b'])
  })

  test('a load that failed is not tried again at once, and later each time', () => {
    const world = new ResidencyWorld()
    const [host] = world.hosts
    if (host === undefined) throw new Error('no host')
    const delays: number[] = []
    for (let at = 0; at < 8; at++) {
      const use = {}
      host.memory.began('a', use)
      host.memory.ended('a', use, 'failed')
      const failure = world.planner.failureOf(world.candidates('a'))
      delays.push(failure?.inMs ?? 0)
      expect(world.planner.access(host, 'a').admits).toBe(false)
      world.clock.advanceSync(failure?.inMs ?? 0)
      expect(world.planner.access(host, 'a').admits).toBe(true)
    }
    expect(delays).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000])
  })

  test('whoever gave its load up leaves it to the next of the model; others wait until it must be over', () => {
    const world = new ResidencyWorld()
    const [host] = world.hosts
    if (host === undefined) throw new Error('no host')
    const use = {}
    host.memory.began('a', use)
    world.clock.advanceSync(10_000)
    host.memory.ended('a', use, 'given_up')
    expect(world.planner.access(host, 'a').admits).toBe(true)
    expect(world.planner.access(host, 'b').admits).toBe(false)
    world.clock.advanceSync(35_001)
    expect(world.planner.access(host, 'b').admits).toBe(true)
  })

  test('a host that was down has nothing in memory, and loads nothing', () => {
    const world = new ResidencyWorld()
    const [host] = world.hosts
    world.ask('a')
    host?.connectFailed('connection refused')
    expect([host?.memory.loading, host?.memory.residents]).toEqual([null, []])
  })
})

test('with room for more, another one is loaded beside what runs, and nobody waits for that', () => {
  const world = new ResidencyWorld({ modelsLoadedMax: 2, slots: 4 })
  world.ask('a')
  world.step(31_000)
  world.ask('b')
  world.ask('a')
  expect([world.waiting.length, world.running.size]).toEqual([0, 3])
  world.step(40_000)
  expect(world.residents).toEqual(['a b'])
})

const models = ['a', 'b', 'c', 'd']

test('whatever is asked for: never two loads at once on a host, never one that ends what runs, nobody waits beyond the bound', () => {
  const asks = fc.array(
    fc.record({ model: fc.constantFrom(...models), afterMs: fc.integer({ min: 0, max: 40_000 }) }),
    {
      minLength: 5,
      maxLength: 150,
    },
  )
  const shape = fc.record({
    hosts: fc.integer({ min: 1, max: 3 }),
    slots: fc.integer({ min: 1, max: 4 }),
    modelsLoadedMax: fc.integer({ min: 1, max: 2 }),
    loadMs: fc.integer({ min: 1_000, max: 60_000 }),
  })
  fc.assert(
    fc.property(asks, shape, (sequence, { loadMs, ...rest }) => {
      const world = new ResidencyWorld({ ...rest, models, loadMs: () => loadMs })
      for (const { model, afterMs } of sequence) {
        world.ask(model)
        world.step(afterMs)
      }
      // Each other model has one turn before it: its load, its quantum, and what still runs then; slots are waited for on top.
      const turnMs = loadMs + Math.max(9 * Math.max(loadMs, 30_000), 60_000) + 5_000
      const boundMs = models.length * turnMs + (sequence.length * 5_000) / rest.slots
      world.step(boundMs)
      expect(world.faults).toEqual([])
      expect(world.waiting).toEqual([])
      expect(world.longestWaitMs()).toBeLessThanOrEqual(boundMs)
    }),
    { numRuns: 60 },
  )
})

test('while all models are wanted at any time, loads take no more of the time of a host than they may', () => {
  const world = new ResidencyWorld({ models, slots: 2, loadMs: () => 20_000, loadMsDefault: 20_000 })
  const hours = 3
  for (let second = 0; second < hours * 3_600; second += 5) {
    for (const model of models) if (!world.waiting.some((one) => one.model === model)) world.ask(model)
    world.step(5_000)
  }
  expect(world.loads).toBeGreaterThan(20)
  // But for what was saved at first, a tenth of 5 min, and the load that may be under way at the end.
  expect(world.loadedMs / (hours * 3_600_000)).toBeLessThanOrEqual(0.1 + (20_000 + 30_000) / (hours * 3_600_000))
  // Each has its turn: three others, each for its load, its quantum of nine times that, and what still runs.
  expect(world.longestWaitMs()).toBeLessThanOrEqual(models.length * (20_000 * 10 + 5_000 + 1_000))
  expect(world.faults).toEqual([])
})
