/** What choosing a host costs, without sockets: as often as there are rounds, each in a process of its own. */
import { policyNames } from '../../src/balancing/options.ts'
import type { BenchArguments } from './bench-arguments.ts'
import { answerOf, startHelper } from './children.ts'
import type { FromChoosingBench, ToChoosingBench } from './choosing-bench.ts'
import type { Bound } from './line-figures.ts'
import { type Spread, spreadOf } from './statistics.ts'

export interface ChoosingFigure {
  readonly name: string
  readonly unit: 'µs' | 'µs/kB'
  readonly figure: Spread
  readonly bound: Bound | null
}

const choice: Bound = { goal: 10, must: 10 }

/** `core`: where it runs; any where null. */
export async function choosingFigures(
  { rounds, steps }: BenchArguments,
  { core, say }: { core: string | null; say: (line: string) => void },
): Promise<ChoosingFigure[]> {
  const costs: FromChoosingBench[] = []
  for (let round = 1; round <= rounds; round++) {
    await using child = startHelper(core, 'choosing-bench.ts')
    costs.push(await answerOf<FromChoosingBench>(child, { steps } satisfies ToChoosingBench, 600_000))
    say(`choosing, round ${round} of ${rounds}`)
  }
  const choices = policyNames.flatMap((policy) => {
    const of = costs.map(({ choiceUs }) => choiceUs[policy])
    const least = spreadOf(of.map((one) => one.least))
    return [
      { name: policy, unit: 'µs' as const, figure: spreadOf(of.map((one) => one.median)), bound: choice },
      { name: `${policy}, least of its runs`, unit: 'µs' as const, figure: least, bound: choice },
    ]
  })
  const prints = (costs[0]?.printUsPerKb ?? []).map(({ kb }, at) => ({
    name: `digests of a prompt of ${kb} kB`,
    unit: 'µs/kB' as const,
    figure: spreadOf(costs.map(({ printUsPerKb }) => printUsPerKb[at]?.us ?? 0)),
    bound: null,
  }))
  return [...choices, ...prints]
}
