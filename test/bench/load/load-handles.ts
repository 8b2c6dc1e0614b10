/** Stub and generator as parts of the benchmark hold them: a process each, on the cores of the load. */
import type { RunningProcess } from '../../kit/child-process.ts'
import { answerOf, startHelper } from '../children.ts'
import type { Generator, Stub } from '../rig.ts'
import type { Arrivals, LoadOrder, PairArrivals } from './load-order.ts'
import { type StubCounts, type StubMode, type ToStub, usualMode } from './stub-mode.ts'

/** Beyond what an order takes by itself. */
const patienceMs = 60_000

export async function startStub(core: string | null): Promise<Stub> {
  const child = startHelper(core, 'load/stub-process.ts')
  const ask = (asked: ToStub) => answerOf<StubCounts>(child, asked, patienceMs)
  const { url } = await ask({ ask: 'counts' })
  return {
    url,
    pid: child.pid,
    child,
    mode: async (mode: Partial<StubMode>) => void (await ask({ ask: 'mode', mode: { ...usualMode, ...mode } })),
    counts: () => ask({ ask: 'counts' }),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

export function startGenerator(core: string | null): Generator {
  const child = startHelper(core, 'load/generator-process.ts')
  return {
    pid: child.pid,
    child,
    openStreams: async (order) =>
      void (await arrivals(child, { ask: 'open streams', ...order }, patienceMs + order.withinMs)),
    window: (ms) => arrivals(child, { ask: 'window', ms }, patienceMs + ms),
    endStreams: async (leave) => void (await arrivals(child, { ask: 'end streams', leave }, 10 * patienceMs)),
    openLoop: (order) => arrivals(child, { ask: 'open loop', ...order }, patienceMs + 2 * order.forMs),
    closedLoop: (order) => arrivals(child, { ask: 'closed loop', ...order }, patienceMs + order.requests * 20),
    pairs: (order) => answered<PairArrivals>(child, { ask: 'pairs', ...order }, patienceMs + order.pairs * 100),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

function arrivals(child: RunningProcess, order: LoadOrder, ms: number): Promise<Arrivals> {
  return answered<Arrivals>(child, order, ms)
}

/** A figure of requests that failed would be of something else. */
async function answered<Answer extends Arrivals | PairArrivals>(
  child: RunningProcess,
  order: LoadOrder,
  ms: number,
): Promise<Answer> {
  const answer = await answerOf<Answer>(child, order, ms)
  const failures = Object.entries(answer.failures).map(([words, count]) => `${count} × ${words}`)
  if (failures.length > 0) throw new Error(`requests failed, so nothing was measured: ${failures.join(', ')}`)
  return answer
}
