/** A part of the benchmark: measures all targets in each of its rounds, and has rows for the table. */
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
  readonly must: number | null
  readonly goal: number | null
  readonly better: 'lower' | 'higher'
  /** What a reader must know to judge it. */
  readonly note?: string
}
