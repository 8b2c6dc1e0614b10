/** A part of the benchmark: measures all targets in each of its rounds, and has rows for the table. */
import type { Bound } from '../line-figures.ts'
import type { Rig } from '../rig.ts'
import type { Spread } from '../statistics.ts'
import type { TargetName } from '../targets/target.ts'

export interface BenchPart {
  /** As `--parts` has it. */
  readonly name: string
  /** For people: what is measured, and how. */
  readonly words: string
  run(rig: Rig): Promise<readonly Row[]>
}

export interface Row {
  readonly figure: string
  readonly unit: string
  readonly byTarget: Partial<Record<TargetName, Spread>>
  /** Gateway to nginx within a round, over the rounds; null where there is no such ratio. */
  readonly ratioToNginx: Spread | null
  /** The same to the baseline. */
  readonly ratioToBaseline?: Spread | null
  readonly must: number | null
  readonly goal: number | null
  readonly better: 'lower' | 'higher'
  /** Bounds of the ratio, beside those of the figure: the figure is of one machine, the ratio of any. */
  readonly ratioMust?: number
  readonly ratioGoal?: number
  /** What a reader must know to judge it. */
  readonly note?: string
}

/** Of something that only a gateway has. */
export function aloneRow({ name, unit, figure, bound }: AloneFigure): Row {
  return {
    figure: name,
    unit,
    byTarget: { gateway: figure },
    ratioToNginx: null,
    must: bound?.must ?? null,
    goal: bound?.goal ?? null,
    better: 'lower',
  }
}

interface AloneFigure {
  readonly name: string
  readonly unit: string
  readonly figure: Spread
  readonly bound: Bound | null
}
