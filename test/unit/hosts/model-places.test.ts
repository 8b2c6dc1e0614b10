/** Which of several hosts gives way: the one whose models are missed least. */
import { describe, expect, it } from 'vitest'
import { LoadTimes } from '../../../src/hosts/load-times.ts'
import { ResidencyWorld } from './residency-world.ts'

const minuteMs = 60_000

/** Model a, which many ask for, on one host, and b, which few ask for, on the other; long past the quantum of both. */
function used(): ResidencyWorld {
  const world = new ResidencyWorld({ hosts: 2, slots: 4 })
  world.ask('a')
  world.step(31_000)
  world.ask('b')
  world.step(31_000)
  expect(world.residents).toEqual(['a', 'b'])
  for (let minute = 0; minute < 10; minute++) {
    for (let times = 0; times < 5; times++) world.ask('a')
    world.ask('b')
    world.step(minuteMs)
  }
  return world
}

describe('of two hosts', () => {
  it('the one with the model that few ask for takes the third', () => {
    const world = used()
    world.ask('c')
    expect(world.hosts.map(({ memory }) => memory.loading?.model)).toEqual([undefined, 'c'])
    world.step(31_000)
    expect(world.residents).toEqual(['a', 'c'])
  })

  it('that one alone takes it, also while it is at work: the other one is not asked instead', () => {
    const world = used()
    world.ask('b')
    world.ask('c')
    expect([world.waiting.length, world.loads]).toEqual([1, 2])
    world.step(6_000)
    expect(world.hosts.map(({ memory }) => memory.loading?.model)).toEqual([undefined, 'c'])
    expect(world.faults).toEqual([])
  })

  it('the other one takes it where the first is gone', () => {
    const world = used()
    world.hosts[1]?.connectFailed('connection refused')
    world.ask('c')
    expect(world.hosts[0]?.memory.loading?.model).toBe('c')
  })

  it('none takes a second copy of a model over one that is used', () => {
    const world = used()
    world.ask('b')
    // More than the slots of its host can take.
    for (let times = 0; times < 12; times++) world.ask('a')
    world.step(50_000)
    expect(world.residents).toEqual(['a', 'b'])
    expect(world.loads).toBe(2)
  })

  it('one takes a copy over what nobody has used for long', () => {
    const world = used()
    world.step(2 * minuteMs)
    for (let times = 0; times < 12; times++) world.ask('a')
    world.step(31_000)
    expect(world.residents).toEqual(['a', 'a'])
  })
})

it('the mean of loads counts a long one in full, which the expected time does not, and begins at what was expected', () => {
  const times = new LoadTimes()
  expect(times.meanMs(30_000)).toBe(30_000)
  for (let load = 0; load < 60; load++) times.add('a', load % 20 === 10 ? 400_000 : 20_000)
  expect(times.meanMs(30_000)).toBeGreaterThan(30_000)
  expect(times.expectedMs('a')!).toBeLessThan(25_000)
  const first = new LoadTimes()
  first.add('a', 400_000)
  expect(first.meanMs(30_000)).toBeCloseTo(0.9 * 30_000 + 0.1 * 400_000, 6)
})

it('one long load among others moves neither the median nor, as the first, all that is expected', () => {
  const times = new LoadTimes()
  expect([times.medianMs(30_000), times.expectedMs('a', 30_000)]).toEqual([30_000, null])
  times.add('a', 750_000)
  expect(times.medianMs(30_000)).toBe(30_000)
  expect(times.expectedMs('a', 30_000)).toBeCloseTo(150_000, 3)
  expect(times.expectedMs('a')).toBeCloseTo(750_000, 3)
  for (let load = 0; load < 9; load++) times.add('b', 120_000)
  expect(times.medianMs(30_000)).toBe(120_000)
})
