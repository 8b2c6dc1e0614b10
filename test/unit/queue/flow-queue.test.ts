/** The queue of a flow, beside a list that is sorted anew each time it is looked at. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { Flow } from '../../../src/queue/flow.ts'
import { FlowQueue } from '../../../src/queue/flow-queue.ts'
import { Lane } from '../../../src/queue/lane.ts'
import { Waiter } from '../../../src/queue/waiter.ts'
import { knownHost } from '../../kit/known-hosts.ts'

const route = new ModelCatalog([knownHost('a')], {}).route('m', 'chat_completions')

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addInFront' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addBetween' as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), pick: fc.nat() }) },
)

it('requests stand in their order, whatever came and left', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const flow = new Flow({ id: 'alice', name: 'alice', weight: 1 })
      const lane = new Lane(route.id, route, new Set())
      const queue = new FlowQueue(flow, lane, 'default')
      const all: Waiter[] = []
      let orderLast = 0
      const add = (order: number): void => {
        const waiter = new Waiter(requestOf(flow), { flow, lane, sinceMs: 0, cost: 0 })
        waiter.order = order
        queue.add(waiter)
        all.push(waiter)
        all.sort((a, b) => a.order - b.order)
      }
      for (const one of steps) {
        if (one.kind === 'add') add(++orderLast)
        else if (one.kind === 'addInFront') add((all[0]?.order ?? orderLast) - 0.5)
        else if (one.kind === 'addBetween') add(between(all, one.pick) ?? ++orderLast)
        else {
          const [waiter] = all.splice(one.pick % Math.max(1, all.length), 1)
          if (waiter !== undefined) queue.remove(waiter)
        }
        expect(Array.from(queue, ({ order }) => order)).toEqual(all.map(({ order }) => order))
        expect([queue.size, queue.head]).toEqual([all.length, all[0] ?? null])
      }
    }),
    { numRuns: 200 },
  )
})

/** Those of a queue are all different. */
function between(all: readonly Waiter[], pick: number): number | null {
  const at = pick % Math.max(1, all.length - 1)
  const [before, after] = [all[at], all[at + 1]]
  return before === undefined || after === undefined ? null : (before.order + after.order) / 2
}

function requestOf({ id, name, weight }: Flow) {
  return {
    route,
    excluded: new Set<never>(),
    holder: { id, name, weight },
    class: 'default' as const,
    tokens: { input: 0, output: 0 },
    place: 'newcomer' as const,
    granted: () => {},
    refused: () => {},
  }
}
