/** Every part of the benchmark, in the order in which they are measured and told. */
import { choosingPart } from './choosing.ts'
import { linePart } from './line.ts'
import type { BenchPart } from './part.ts'
import { requestsPart } from './requests.ts'
import { tokensPart } from './tokens.ts'

export const allParts: readonly BenchPart[] = [requestsPart, tokensPart, linePart, choosingPart]

/** Too long to be measured unless it is asked for. */
const onlyWhenAsked: readonly string[] = ['soak']

export const partNames = allParts.map(({ name }) => name)
export const partNamesByDefault = partNames.filter((name) => !onlyWhenAsked.includes(name))
