/** What gateways tell each other of what keys were served: numbers since the teller knows a key, never differences. */

/** A key, the beat since when it is counted, what it was served for good, what is expected beside that, and what it counts for at least. */
type ServedRow = readonly [id: string, since: number, served: number, expected: number, floor: number]

export interface CountersOfHost {
  /** Of those who wait for the host the least that was served; null where nobody does. */
  readonly least: number | null
  /** Of the one that was granted a slot there last. */
  readonly last: number
  readonly served: ServedRow[]
}

export interface CountersMessage {
  readonly beat: number
  /** By name. */
  readonly hosts: Readonly<Record<string, CountersOfHost>>
}

interface ReadCounters {
  readonly beat: number
  readonly hosts: ReadonlyMap<string, CountersOfHost>
}

/** Null where it is none; what of it is none is left out. */
export function readCounters(told: unknown): ReadCounters | null {
  if (!isObject(told) || !isNumber(told['beat']) || !isObject(told['hosts'])) return null
  const hosts = new Map<string, CountersOfHost>()
  for (const [name, value] of Object.entries(told['hosts'])) {
    const counters = countersOf(value)
    if (counters !== null) hosts.set(name, counters)
  }
  return { beat: told['beat'], hosts }
}

function countersOf(value: unknown): CountersOfHost | null {
  if (!isObject(value)) return null
  const { least, last, served } = value
  if ((least !== null && !isNumber(least)) || !isNumber(last) || !Array.isArray(served)) return null
  return { least, last, served: served.filter(isRow) }
}

function isRow(row: unknown): row is ServedRow {
  return Array.isArray(row) && row.length >= 5 && typeof row[0] === 'string' && row.slice(1, 5).every(isNumber)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
