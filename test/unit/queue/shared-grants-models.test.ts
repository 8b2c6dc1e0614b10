import { expect, it } from 'vitest'
import { makeBalancing } from '../../../src/balancing/balancing.ts'
import { balancingOptions } from '../../../src/balancing/options.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { ResidencyPlanner } from '../../../src/hosts/residency.ts'
import type { SharedSlots } from '../../../src/queue/shared-slots.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'
import { residencyDefaults } from '../hosts/residency-world.ts'
import { type Asker, line } from './line.ts'

/** A host that has both, before which others do what keeps this gateway from beginning anything with the one. */
function scene() {
  const clock = new FakeClock()
  const host = knownHost('studio', { kind: hostKind('ollama'), slots: 8, lists: null, parts: { clock } })
  host.probeSucceeded({ models: ['a', 'b'].map((id) => knownModel(id)) })
  const planner = new ResidencyPlanner(() => residencyDefaults, { clock, onChange: () => {} })
  const { balancer } = makeBalancing(balancingOptions.parse({}), {
    clock,
    chance: () => 0.5,
    accessOf: planner.accessOf,
  })
  const asked: string[] = []
  const not = new Set(['a'])
  const slots: SharedSlots = {
    begin: () => {},
    take: ({ models }, answered) => {
      const model = models?.model ?? ''
      asked.push(model)
      clock.after(1, () => answered({ granted: !not.has(model), elsewhere: 1, isForModel: not.has(model) }))
    },
    tell: () => {},
    knownForMs: 3_000,
    shareOf: (limit) => limit,
  }
  const sharing = { slots, chance: () => 0.5, events: { slotAsked: () => {}, slotAnswerUndone: () => {} } }
  return { host, asked, not, ...line([host], { clock, balancer, planner, sharing }) }
}

function runs({ lease }: Asker): boolean {
  return lease !== null
}

it('one that is refused for its model keeps nobody away who is there for another', async () => {
  const { clock, host, asked, not, ask } = scene()
  const first = ask('a')
  await clock.advance(5)
  expect([runs(first), host.elsewhere.isFull]).toEqual([false, false])
  const others = [ask('b'), ask('b')]
  const more = ask('a')
  await clock.advance(5)
  expect(others.map(runs)).toEqual([true, true])
  expect(asked).toEqual(['a', 'b', 'b'])
  // It is asked for again, but seldom.
  await clock.advance(1_000)
  const times = asked.filter((model) => model === 'a').length
  expect(times).toBeGreaterThan(3)
  expect(times).toBeLessThan(13)
  not.clear()
  await clock.advance(250)
  expect([first, more].map(runs)).toEqual([true, true])
})

it('nothing is left of one that was refused for its model', async () => {
  const { clock, host, asked, ask } = scene()
  const first = ask('a')
  await clock.advance(5)
  first.turn.leave()
  await clock.advance(1_000)
  expect([asked, host.memory.elsewhere.refused.size, clock.pendingTimers]).toEqual([['a'], 0, 0])
})
