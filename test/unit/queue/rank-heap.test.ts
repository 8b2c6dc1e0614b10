/** Queues of flows and the heap over them, beside lists that are sorted anew each time they are looked at. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { Flow } from '../../../src/queue/flow.ts'
import { FlowQueue } from '../../../src/queue/flow-queue.ts'
import { Lane } from '../../../src/queue/lane.ts'
import { ranks } from '../../../src/queue/line.ts'
import { RankHeap } from '../../../src/queue/rank-heap.ts'
import { Waiter } from '../../../src/queue/waiter.ts'
import { knownHost } from '../../kit/known-hosts.ts'

const flowCount = 6
const of = fc.nat({ max: flowCount - 1 })

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), of }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addInFront' as const), of }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addBetween' as const), of, pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('removeFirst' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), of, pick: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('charge' as const), of, cost: fc.integer({ min: -20, max: 20 }) }),
  },
)

const route = new ModelCatalog([knownHost('a')], {}).route('m', 'chat_completions')

describe.each(Object.entries(ranks))('%s', (_order, rankOf) => {
  it('the first of the heap has the least rank, and each queue the order of its requests, whatever was done', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
        const heap = new RankHeap()
        const lane = new Lane(route.id, { route, excluded: new Set(), rankOf })
        const queues = Array.from({ length: flowCount }, (_, index) => {
          const flow = new Flow({ id: `${index}`, name: `${index}`, weight: 1 })
          return { queue: new FlowQueue(flow, 'default', { lane, heap, rankOf }), flow, all: new Array<Waiter>() }
        })
        let orderLast = 0
        const add = ({ queue, flow, all }: (typeof queues)[number], order: number): void => {
          const waiter = new Waiter(requestOf(flow), { flow, lane, sinceMs: 0, cost: 0 })
          waiter.order = order
          queue.add(waiter)
          all.push(waiter)
          all.sort((a, b) => a.order - b.order)
        }
        const remove = ({ queue, all }: (typeof queues)[number], at: number): void => {
          const [waiter] = all.splice(at, 1)
          if (waiter !== undefined) queue.remove(waiter)
        }
        for (const one of steps) {
          const chosen = 'of' in one ? queues[one.of]! : queues.find(({ queue }) => queue === heap.peek())
          if (chosen === undefined) continue
          const { all, flow } = chosen
          if (one.kind === 'add') add(chosen, ++orderLast)
          else if (one.kind === 'addInFront') add(chosen, (all[0]?.order ?? orderLast) - 0.5)
          else if (one.kind === 'addBetween') add(chosen, between(all, one.pick) ?? ++orderLast)
          else if (one.kind === 'removeFirst') remove(chosen, 0)
          else if (one.kind === 'remove') remove(chosen, one.pick % Math.max(1, all.length))
          else flow.charge(one.cost)
          for (const { queue, all: sorted } of queues) expect(ordersOf(queue)).toBe(ordersOf(sorted))
          const filled = queues.filter(({ queue }) => queue.size > 0)
          expect(heap.size).toBe(filled.length)
          const least = Math.min(...filled.map((other) => rankOf(other.flow, other.all[0]!)))
          expect(heap.peek()?.rankNow ?? Number.POSITIVE_INFINITY).toBe(least)
        }
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})

/** Those of a queue are all different. */
function between(all: readonly Waiter[], pick: number): number | null {
  const at = pick % Math.max(1, all.length - 1)
  const [before, after] = [all[at], all[at + 1]]
  return before === undefined || after === undefined ? null : (before.order + after.order) / 2
}

function ordersOf(waiters: Iterable<Waiter>): string {
  return Array.from(waiters, ({ order }) => order).join(' ')
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
