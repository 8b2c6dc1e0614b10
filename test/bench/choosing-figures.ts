/** What choosing a host costs, without sockets: as often as there are rounds, each in a process of its own. */
import { policyNames } from '../../src/balancing/options.ts'
import { answerOf, startHelper } from './children.ts'
import type { ChoiceCase, ChoiceUs, FromChoosingBench, ToChoosingBench } from './choosing-bench.ts'
import type { Bound } from './line-figures.ts'
import type { Rig } from './rig.ts'
import { type Spread, spreadOf } from './statistics.ts'

export interface ChoosingFigure {
  readonly name: string
  readonly unit: 'µs' | 'µs/kB'
  readonly figure: Spread
  readonly bound: Bound | null
}

const choice: Bound = { goal: 10, must: 10 }

/** Of a model that is to be loaded, a load takes seconds: what is weighed beside the choice may cost some of it. */
const caseBounds: Readonly<Record<ChoiceCase, Bound>> = { learned: choice, cold: { goal: 60, must: 200 } }
const caseNames: Readonly<Record<ChoiceCase, string>> = {
  learned: 'speeds learned',
  cold: 'a model that all would have to load',
}

/** `core`: where it runs; any where null. */
export async function choosingFigures(
  { rounds, steps }: Pick<Rig, 'rounds' | 'steps'>,
  { core, say }: { core: string | null; say: (line: string) => void },
): Promise<ChoosingFigure[]> {
  const costs: FromChoosingBench[] = []
  for (let round = 1; round <= rounds; round++) {
    await using child = startHelper(core, 'choosing-bench.ts')
    costs.push(await answerOf<FromChoosingBench>(child, { steps } satisfies ToChoosingBench, 600_000))
    say(`choosing, round ${round} of ${rounds}`)
  }
  const figuresOf = (name: string, bound: Bound, costOf: (one: FromChoosingBench) => ChoiceUs): ChoosingFigure[] => [
    { name, unit: 'µs', figure: spreadOf(costs.map((one) => costOf(one).median)), bound },
    { name: `${name}, least of its runs`, unit: 'µs', figure: spreadOf(costs.map((one) => costOf(one).least)), bound },
  ]
  const choices = policyNames.flatMap((policy) => figuresOf(policy, choice, ({ choiceUs }) => choiceUs[policy]))
  const cases = Object.entries(caseBounds).flatMap(([name, bound]) =>
    figuresOf(`fastest, ${caseNames[name as ChoiceCase]}`, bound, ({ caseUs }) => caseUs[name as ChoiceCase]),
  )
  const prints = (costs[0]?.printUsPerKb ?? []).map(({ kb }, at) => ({
    name: `digests of a prompt of ${kb} kB`,
    unit: 'µs/kB' as const,
    figure: spreadOf(costs.map(({ printUsPerKb }) => printUsPerKb[at]?.us ?? 0)),
    bound: null,
  }))
  return [...choices, ...cases, ...prints]
}
