/** The gate before the line: so many of a key inside, the others in order, and leaving from either side. */
import { expect, it } from 'vitest'
import { macOfTheFlood } from '../../sim/host-profile.ts'
import { KeyGate } from '../../sim/key-gate.ts'
import { simPolicies } from '../../sim/policies.ts'
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
  const stream: Stream = {
    name: 'hasty',
    key: 'a',
    class: 'default',
    objective: personal,
    patienceMs: endlessMs,
    leavesAfterMs: 1_500,
  }
  const random = randomOf(1, 0)
  const lengths = { input: { p50: 3_000, p95: 3_001 }, output: { p50: 10, p95: 11 } }
  const hasty = Array.from({ length: 6 }, () => arrivalOf(random, 0, { stream, ...lengths }))
  const { leavesAfterMs: _never, ...patient } = stream
  const last = arrivalOf(random, 2_000, { stream: { ...patient, name: 'patient' }, ...lengths })
  const workload = {
    hosts: [{ ...macOfTheFlood, slots: 1 }],
    streams: [stream],
    durationMs: 60_000,
    arrivals: [...hasty, last],
  }
  const { ended } = new Simulation(workload, simPolicies['cap-2'], 1).run()
  expect(ended.filter(({ ending }) => ending === 'left')).toHaveLength(6)
  const patientOne = ended.find(({ arrival }) => arrival === last)
  expect(patientOne?.ending).toBe('done')
  // All had left by then, so it had the machine for itself at once.
  expect(patientOne?.grantedAtMs).toBe(2_000)
})
