/** What the line itself costs, without sockets: each length in a process of its own, as often as there are rounds. */

import { lanesWaitingMax } from '../../src/queue/refusals.ts'
import { answerOf, startHelper } from './children.ts'
import type { FromLineBench, ToLineBench } from './line-bench.ts'
import type { Rig } from './rig.ts'
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

const figures: readonly Figure[] = [
  { name: 'line: add and take', unit: 'µs', bound: step, of: ({ alone }) => alone.addUs + alone.takeUs },
  { name: 'line: leave', unit: 'µs', bound: step, of: ({ alone }) => alone.leaveUs },
  { name: 'line: 10,000 leave at once', unit: 'ms', bound: leavingAtOnce, of: ({ alone }) => alone.leaveAllMs },
  { name: 'line: memory a waiter', unit: 'bytes', bound: null, of: ({ alone }) => alone.bytes },
  { name: 'dispatcher: ask, with its estimate', unit: 'µs', bound: null, of: ({ dispatcher }) => dispatcher.addUs },
  { name: 'dispatcher: a slot to the next', unit: 'µs', bound: null, of: ({ dispatcher }) => dispatcher.takeUs },
  { name: 'dispatcher: leave', unit: 'µs', bound: null, of: ({ dispatcher }) => dispatcher.leaveUs },
  { name: 'dispatcher: 10,000 leave at once', unit: 'ms', bound: null, of: ({ dispatcher }) => dispatcher.leaveAllMs },
  { name: 'dispatcher: memory a request', unit: 'bytes', bound: null, of: ({ dispatcher }) => dispatcher.bytes },
]

/** With fewer, a figure of all or of memory says nothing. */
const waitingForTotals = 10_000
/** Where clients ask for very many models: the line at its usual bound, in as many lanes as may wait. Each step is dear there. */
const manyModels = { waiting: 1_024, models: lanesWaitingMax, stepsShare: 0.05 }

/** `core`: where it runs; any where null. */
export async function lineFigures(
  { rounds, waiting, steps }: Pick<Rig, 'rounds' | 'waiting' | 'steps'>,
  { core, say }: { core: string | null; say: (line: string) => void },
): Promise<LineFigure[]> {
  const found: LineFigure[] = []
  for (const length of waiting) {
    const order = { waiting: length, models: 1, steps }
    found.push(...figuresOf(order, await costsOf(order, { rounds, core, say })))
  }
  const { models, stepsShare } = manyModels
  const order = {
    waiting: Math.min(manyModels.waiting, Math.max(...waiting)),
    models,
    steps: Math.ceil(steps * stepsShare),
  }
  return [...found, ...figuresOf(order, await costsOf(order, { rounds, core, say }))]
}

function figuresOf({ waiting, models }: ToLineBench, costs: readonly FromLineBench[]): LineFigure[] {
  return figures
    .filter(({ unit }) => unit === 'µs' || waiting >= waitingForTotals)
    .map(({ name, unit, bound, of }) => ({
      name: models === 1 ? name : `${name}, ${models} models`,
      waiting,
      unit,
      bound: models === 1 ? bound : null,
      figure: spreadOf(costs.map(of)),
    }))
}

async function costsOf(
  order: ToLineBench,
  { rounds, core, say }: { rounds: number; core: string | null; say: (line: string) => void },
): Promise<FromLineBench[]> {
  const costs: FromLineBench[] = []
  for (let round = 1; round <= rounds; round++) {
    await using child = startHelper(core, 'line-bench.ts', ['--expose-gc'])
    costs.push(await answerOf<FromLineBench>(child, order, 600_000))
    say(`line of ${order.waiting} in ${order.models} models, round ${round} of ${rounds}`)
  }
  return costs
}
