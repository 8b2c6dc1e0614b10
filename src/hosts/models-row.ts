/** What gateways tell each other of the models of one host; read by hand, since schemas are not to be loaded by a start that needs none. */

export type Counts = readonly (readonly [model: string, requests: number])[]

export type ModelsRow = readonly [
  host: string,
  uses: Counts,
  waits: Counts,
  load: readonly [model: string, isAlone: boolean, evicts: readonly string[]] | null,
  turn: readonly [model: string, out: readonly string[] | null] | null,
]

/** Null where it is none. */
export function readModelsRow(told: unknown): ModelsRow | null {
  return isModelsRow(told) ? told : null
}

function isModelsRow(told: unknown): told is ModelsRow {
  if (!isTuple(told, 5)) return false
  const [host, uses, waits, load, turn] = told
  return typeof host === 'string' && isCounts(uses) && isCounts(waits) && isLoad(load) && isTurn(turn)
}

function isCounts(told: unknown): boolean {
  return (
    Array.isArray(told) && told.every((one) => isTuple(one, 2) && typeof one[0] === 'string' && Number.isFinite(one[1]))
  )
}

function isLoad(told: unknown): boolean {
  if (told === null) return true
  return isTuple(told, 3) && typeof told[0] === 'string' && typeof told[1] === 'boolean' && isNames(told[2])
}

function isTurn(told: unknown): boolean {
  if (told === null) return true
  return isTuple(told, 2) && typeof told[0] === 'string' && (told[1] === null || isNames(told[1]))
}

function isNames(told: unknown): boolean {
  return Array.isArray(told) && told.every((name) => typeof name === 'string')
}

function isTuple(told: unknown, length: number): told is readonly unknown[] {
  return Array.isArray(told) && told.length === length
}
