/** Every part of the benchmark, in the order in which they are measured and told. */

import { bodiesPart } from './bodies.ts'
import { ceilingsPart } from './ceilings.ts'
import { choosingPart } from './choosing.ts'
import { coldStartPart } from './cold-start.ts'
import { idlePart } from './idle.ts'
import { linePart } from './line.ts'
import { lineLeaversPart } from './line-leavers.ts'
import type { BenchPart } from './part.ts'
import { requestsPart } from './requests.ts'
import { scrapesPart } from './scrapes.ts'
import { sharedPart } from './shared-state.ts'
import { slowReaderPart } from './slow-reader.ts'
import { soakPart } from './soak.ts'
import { tokensPart } from './tokens.ts'
import { twoProcessesPart } from './two-processes.ts'

export const allParts: readonly BenchPart[] = [
  requestsPart,
  tokensPart,
  ceilingsPart,
  linePart,
  choosingPart,
  idlePart,
  lineLeaversPart,
  scrapesPart,
  bodiesPart,
  slowReaderPart,
  coldStartPart,
  twoProcessesPart,
  sharedPart,
  soakPart,
]

/** Too long to be measured unless it is asked for. */
const onlyWhenAsked: readonly string[] = ['soak']

export const partNames = allParts.map(({ name }) => name)
export const partNamesByDefault = partNames.filter((name) => !onlyWhenAsked.includes(name))
