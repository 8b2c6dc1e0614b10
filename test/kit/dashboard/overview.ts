/** The board for one screen: what one looks at first, chosen from the big one. */

import type { Panel } from './panel.ts'
import { stateOfHosts } from './rows/hosts.ts'
import { firstToken } from './rows/latency.ts'
import { waitingByClass } from './rows/line.ts'
import {
  failedNow,
  firstTokenNow,
  hostsUpNow,
  objectivesMet,
  outputNow,
  streamSpeedNow,
  waitingNow,
} from './rows/now.ts'
import { budgetLeft } from './rows/objectives.ts'
import { byStatus } from './rows/reliability.ts'
import { outputByModel, speedAndBatch } from './rows/throughput.ts'

const figures: readonly Panel[] = [
  objectivesMet,
  { ...budgetLeft, width: 6 },
  failedNow,
  firstTokenNow,
  streamSpeedNow,
  outputNow,
  waitingNow,
]

const graphs: readonly Panel[] = [
  outputByModel,
  speedAndBatch,
  firstToken,
  waitingByClass,
  byStatus,
  { ...stateOfHosts, width: 5 },
  hostsUpNow,
]

/** 24 columns and 18 rows: the screen of a laptop. */
export const overview: readonly Panel[] = [...figures, ...graphs.map((panel) => ({ ...panel, height: 7 }))]
