/** The gate before the line: so many of a key inside, the others in order, and leaving from either side. */
import { expect, it } from 'vitest'
import { macOfTheFlood } from '../../sim/host-profile.ts'
import { KeyGate } from '../../sim/key-gate.ts'
import { Simulation } from '../../sim/simulation.ts'
import { endlessMs, personal, type Stream } from '../../sim/workload.ts'
import { arrivalOf, randomOf } from '../../sim/workloads/arrivals.ts'

it('lets so many of each key enter, and the next in order when one of it has ended', () => {
  const gate = new KeyGate(2)
  const entered: string[] = []
  const ask = (key: string, name: string) => gate.ask(key, () => entered.push(name))
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask('a', name)
  ask('b', 'b1')
  expect(entered).toEqual(['a1', 'a2', 'b1'])
  gate.ended('b')
  gate.ended('a')
  expect(entered).toEqual(['a1', 'a2', 'b1', 'a3'])
  gate.ended('a')
  gate.ended('a')
  gate.ended('a')
  ask('a', 'a5')
  expect(entered).toEqual(['a1', 'a2', 'b1', 'a3', 'a4', 'a5'])
})

it('who leaves before it has entered never does, and who has entered is told so', () => {
  const gate = new KeyGate(1)
  const entered: string[] = []
  const [first, second] = ['1', '2', '3'].map((name) => gate.ask('a', () => entered.push(name)))
  expect(first!()).toBe(false)
  expect(second!()).toBe(true)
  gate.ended('a')
  expect(entered).toEqual(['1', '3'])
})

it('clients that leave before the gate, in the line and at a host hold nobody up', () => {
  const stream = (name: string, leavesAfterMs: number): Stream => {
    return { name, key: 'a', class: 'default', objective: personal, patienceMs: endlessMs, leavesAfterMs }
  }
  const random = randomOf(1, 0)
  const arrival = (atMs: number, of: Stream) =>
    arrivalOf(random, atMs, { stream: of, input: { p50: 6_000, p95: 6_001 }, output: { p50: 10, p95: 11 } })
  // One at the host and one in the line leave after those that the gate has kept.
  const inside = [1, 2].map(() => arrival(0, stream('inside', 3_000)))
  const before = [1, 2, 3].map(() => arrival(0, stream('before', 1_000)))
  const last = arrival(2_000, stream('last', 50_000))
  const workload = {
    hosts: [{ ...macOfTheFlood, slots: 1 }],
    streams: [stream('any', 0)],
    durationMs: 60_000,
    arrivals: [...inside, ...before, last],
  }
  const { ended } = new Simulation(workload, { order: 'cap-2' }, 1).run()
  expect(ended.map(({ ending, atMs }) => [ending, atMs])).toEqual([
    ...before.map(() => ['left', 1_000]),
    ...inside.map(() => ['left', 3_000]),
    ['done', expect.any(Number)],
  ])
  expect(ended.at(-1)).toMatchObject({ arrival: last, grantedAtMs: 3_000 })
})
