import { describe, expect, it } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { ModelsTold } from '../../../src/hosts/models-told.ts'
import { ResidencyPlanner } from '../../../src/hosts/residency.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'
import { residencyDefaults } from './residency-world.ts'

interface Member {
  readonly id: string
  readonly host: Host
  readonly planner: ResidencyPlanner
  readonly told: ModelsTold
  readonly waiting: Map<string, number>
  changes: number
  probes: number
  wants(...models: string[]): void
}

/** Gateways before one host that holds one model; `in` has it in memory. */
function fleet({ holds = 'a', modelsLoadedMax = 1 } = {}) {
  const clock = new FakeClock()
  const member = (id: string): Member => {
    const kind = hostKind('lm-studio')
    const host = knownHost('studio', { kind, slots: 4, lists: null, modelsLoadedMax, parts: { clock } })
    host.probeSucceeded({ models: ['a', 'b', 'c'].map((model) => knownModel(model, model === holds)) })
    const planner = new ResidencyPlanner(() => residencyDefaults, { clock, onChange: () => {} })
    const waiting = new Map<string, number>()
    const counts = { changes: 0, probes: 0 }
    const told = new ModelsTold({
      id,
      hosts: () => [host],
      planner,
      waitingAt: () => waiting,
      onChange: () => void counts.changes++,
      probe: () => void counts.probes++,
    })
    const wants = (...models: string[]): void => {
      waiting.clear()
      for (const model of models) waiting.set(model, 1)
      planner.plan(
        models.map((model) => ({
          candidates: [{ host, model }],
          waiting: 1,
          waitMs: () => null,
          holder: 'alice',
          holders: () => ['alice'],
          charge: () => {},
        })),
      )
    }
    return {
      id,
      host,
      planner,
      told,
      waiting,
      wants,
      get changes() {
        return counts.changes
      },
      get probes() {
        return counts.probes
      },
    }
  }
  const [one, two] = [member('1'), member('2')]
  const beat = (from: Member, to: Member): void => to.told.hear(from.id, JSON.parse(JSON.stringify(from.told.tell())))
  return { clock, one, two, beat }
}

describe('models of a host that several gateways use', () => {
  it('are not put out while another gateway has requests there', () => {
    const { one, two, beat } = fleet()
    expect(two.planner.access(two.host, 'b').admits).toBe(true)
    const use = {}
    one.host.memory.began('a', use)
    beat(one, two)
    expect(two.planner.access(two.host, 'b').admits).toBe(false)
    expect(two.planner.waitOf([{ host: two.host, model: 'b' }])).toMatchObject({ obstacle: 'busy' })
    expect(two.planner.access(two.host, 'a').admits).toBe(true)
    one.host.memory.ended('a', use, null)
    beat(one, two)
    expect(two.planner.access(two.host, 'b').admits).toBe(true)
    expect(two.changes).toBe(2)
  })

  it('stay for those that wait for them at another gateway', () => {
    const { one, two, beat } = fleet()
    one.wants('a')
    beat(one, two)
    two.host.memory.times.add('b', 30_000)
    expect(two.planner.access(two.host, 'b').admits).toBe(true)
    const load = {}
    two.host.memory.began('b', load)
    two.host.memory.content('b', load, 0)
    two.host.memory.ended('b', load, null)
    // What was loaded here has its quantum, and what is wanted there does not end it before.
    one.wants('b')
    beat(one, two)
    expect(two.planner.waitOf([{ host: two.host, model: 'a' }])).toMatchObject({ obstacle: 'kept' })
  })

  it('are loaded by one of them at a time, and what gives way for that is begun with by none', () => {
    const { one, two, beat } = fleet()
    one.host.memory.began('b', {})
    beat(one, two)
    expect(two.planner.access(two.host, 'a').admits).toBe(false)
    expect(two.planner.access(two.host, 'b')).toMatchObject({ isWarm: true, admits: false })
    expect(two.planner.waitOf([{ host: two.host, model: 'c' }])).toMatchObject({ obstacle: 'another_load' })
  })

  it('are asked for anew where the load of another gateway is over', () => {
    const { one, two, beat } = fleet()
    const load = {}
    one.host.memory.began('b', load)
    beat(one, two)
    one.host.memory.content('b', load, 0)
    expect(two.probes).toBe(0)
    beat(one, two)
    expect(two.probes).toBe(1)
  })

  it('have their turn at all of them', () => {
    const { one, two, beat } = fleet()
    two.host.memory.began('a', {})
    beat(two, one)
    one.wants('b')
    expect(one.planner.turnAt(one.host)).toBe('b')
    beat(one, two)
    expect([two.planner.turnAt(two.host), two.planner.access(two.host, 'a').admits]).toEqual(['b', false])
    one.wants()
    beat(one, two)
    expect([two.planner.turnAt(two.host), two.planner.access(two.host, 'a').admits]).toEqual([null, true])
  })

  it('have one turn where two gateways began one at once', () => {
    const { one, two, beat } = fleet()
    for (const member of [one, two]) member.host.memory.began('a', {})
    one.wants('b')
    two.wants('c')
    expect([one.planner.turnAt(one.host), two.planner.turnAt(two.host)]).toEqual(['b', 'c'])
    beat(one, two)
    beat(two, one)
    expect([one.planner.turnAt(one.host), two.planner.turnAt(two.host)]).toEqual(['b', 'b'])
  })

  it('are free of a gateway that has gone, or was not heard for long', async () => {
    const { one, two, beat, clock } = fleet()
    one.host.memory.began('a', {})
    beat(one, two)
    two.told.gone('1')
    expect([two.planner.access(two.host, 'b').admits, two.changes]).toEqual([true, 2])
    beat(one, two)
    expect(two.planner.access(two.host, 'b').admits).toBe(false)
    await clock.advance(3_001)
    expect(two.planner.access(two.host, 'b').admits).toBe(true)
  })
})

describe('what is told', () => {
  it('is nothing where no host loads', () => {
    const { one } = fleet()
    one.host.kind = hostKind('vllm')
    expect(one.told.tell()).toBeUndefined()
  })

  it('changes nothing when it says the same as before, or other numbers of requests', () => {
    const { one, two, beat } = fleet()
    one.host.memory.began('a', {})
    beat(one, two)
    one.host.memory.began('a', {})
    beat(one, two)
    expect(two.changes).toBe(1)
  })

  it('is believed as far as it is told as it should be', () => {
    const { two } = fleet()
    expect(() => two.told.hear('1', 'nonsense')).toThrow('Models are not told as rows.')
    two.told.hear('1', [
      ['studio', [['b', 'many']], [], null, null],
      ['studio', [], [], ['b', 'yes', []], null],
      ['studio', [], [], null, ['b', [1]]],
      ['elsewhere', [['b', 1]], [], null, null],
      7,
    ])
    expect([two.changes, two.planner.access(two.host, 'b').admits]).toEqual([0, true])
  })
})
