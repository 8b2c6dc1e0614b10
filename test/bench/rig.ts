/** What every part of the benchmark works with: targets, load, and the cores they have for themselves. */
import type { RunningProcess } from '../kit/child-process.ts'
import type { SeededRandom } from '../soak/seeded-random.ts'
import type { Calibration } from './calibration.ts'
import type {
  Arrivals,
  ClosedLoopOrder,
  OpenLoopOrder,
  PairArrivals,
  PairsOrder,
  StreamsOrder,
} from './load/load-order.ts'
import type { StubCounts, StubMode } from './load/stub-mode.ts'
import type { Cores } from './machine.ts'
import type { TargetMaker, TargetName } from './targets/target.ts'

export interface Rig {
  /** Those that can be started here, in the order of the tables. */
  readonly makers: readonly TargetMaker[]
  readonly cores: Cores
  readonly rounds: number
  /** 1 for the full form; amounts and times are multiplied by it. */
  readonly scale: number
  readonly soakMinutes: number
  /** Lengths of the line that are measured, and requests that come and go at each. */
  readonly waiting: readonly number[]
  readonly steps: number
  readonly random: SeededRandom
  readonly say: (line: string) => void
  /** For the report: what a reader must know. */
  readonly note: (text: string) => void
  maker(name: TargetName): TargetMaker | null
  /** Taken once. */
  calibration(): Promise<Calibration>
  stub(): Promise<Stub>
  generator(): Promise<Generator>
}

/** A host that costs little: answers made beforehand, a stamp in each event. */
export interface Stub extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  readonly child: RunningProcess
  /** For all that begins after it. */
  mode(mode: Partial<StubMode>): Promise<void>
  counts(): Promise<StubCounts>
}

/** The clients. Where anything fails, a call rejects with what it was, so that nothing false is measured. */
export interface Generator extends AsyncDisposable {
  readonly pid: number
  readonly child: RunningProcess
  /** Resolves when all of them have had their first token. */
  openStreams(order: StreamsOrder): Promise<void>
  /** What arrives from now on, for so long. */
  window(ms: number): Promise<Arrivals>
  /** So many leave at once, and all others go on; null: waits for the end of all. */
  endStreams(leave: number | null): Promise<void>
  openLoop(order: OpenLoopOrder): Promise<Arrivals>
  closedLoop(order: ClosedLoopOrder): Promise<Arrivals>
  pairs(order: PairsOrder): Promise<PairArrivals>
}
