/** What the line itself costs, without sockets: each length in a process of its own, as often as there are rounds. */
import type { BenchArguments } from './bench-arguments.ts'
import { answerOf, startHelper } from './children.ts'
import type { FromLineBench, ToLineBench } from './line-bench.ts'
import { type Spread, spreadOf } from './statistics.ts'

export interface LineFigure {
  readonly name: string
  readonly waiting: number
  readonly unit: 'µs' | 'ms' | 'bytes'
  readonly figure: Spread
  readonly bound: Bound | null
}

/** At most so much: what a change must not go beyond, and what is aimed for. */
export interface Bound {
  readonly goal: number
  readonly must: number
}

interface Figure extends Pick<LineFigure, 'name' | 'unit' | 'bound'> {
  readonly of: (costs: FromLineBench) => number
}

const step: Bound = { goal: 1, must: 5 }
const leavingAtOnce: Bound = { goal: 5, must: 5 }
/** With fewer, a figure in all or in memory says nothing. */
const waitingForTotals = 10_000

const figures: readonly Figure[] = [
  { name: 'line: add and take', unit: 'µs', bound: step, of: ({ alone }) => alone.addUs + alone.takeUs },
  { name: 'line: leave', unit: 'µs', bound: step, of: ({ alone }) => alone.leaveUs },
  { name: 'line: 10,000 leave at once', unit: 'ms', bound: leavingAtOnce, of: ({ alone }) => alone.leaveAllMs },
  { name: 'line: memory a waiter', unit: 'bytes', bound: null, of: ({ alone }) => alone.bytes },
  {
    name: 'line, 1000 models: add and take',
    unit: 'µs',
    bound: null,
    of: ({ aloneManyModels }) => aloneManyModels.addUs + aloneManyModels.takeUs,
  },
  { name: 'dispatcher: ask, with its estimate', unit: 'µs', bound: null, of: ({ dispatcher }) => dispatcher.addUs },
  { name: 'dispatcher: a slot to the next', unit: 'µs', bound: null, of: ({ dispatcher }) => dispatcher.takeUs },
  { name: 'dispatcher: leave', unit: 'µs', bound: step, of: ({ dispatcher }) => dispatcher.leaveUs },
  {
    name: 'dispatcher: 10,000 leave at once',
    unit: 'ms',
    bound: leavingAtOnce,
    of: ({ dispatcher }) => dispatcher.leaveAllMs,
  },
  { name: 'dispatcher: memory a request', unit: 'bytes', bound: null, of: ({ dispatcher }) => dispatcher.bytes },
  {
    name: 'dispatcher, 1000 models: ask, with its estimate',
    unit: 'µs',
    bound: null,
    of: ({ dispatcherManyModels }) => dispatcherManyModels.addUs,
  },
  {
    name: 'dispatcher, 1000 models: a slot to the next',
    unit: 'µs',
    bound: null,
    of: ({ dispatcherManyModels }) => dispatcherManyModels.takeUs,
  },
]

/** `core`: where it runs; any where null. */
export async function lineFigures(
  { rounds, waiting, steps }: BenchArguments,
  { core, say }: { core: string | null; say: (line: string) => void },
): Promise<LineFigure[]> {
  const found: LineFigure[] = []
  for (const length of waiting) {
    const costs: FromLineBench[] = []
    for (let round = 1; round <= rounds; round++) {
      costs.push(await costsOf({ waiting: length, steps }, core))
      say(`line of ${length}, round ${round} of ${rounds}`)
    }
    found.push(
      ...figures
        .filter(({ unit }) => unit === 'µs' || length >= waitingForTotals)
        .map(({ name, unit, bound, of }) => ({ name, waiting: length, unit, bound, figure: spreadOf(costs.map(of)) })),
    )
  }
  return found
}

async function costsOf(order: ToLineBench, core: string | null): Promise<FromLineBench> {
  await using child = startHelper(core, 'line-bench.ts', ['--expose-gc'])
  return await answerOf<FromLineBench>(child, order, 600_000)
}
