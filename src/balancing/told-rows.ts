/** What gateways tell each other of hosts are rows: looked at one by one, since whoever tells them may be of another version. */
import type { Host } from '../hosts/host.ts'

/** More at once than anybody tells. */
const rowsMax = 10_000
const nameCharsMax = 1_024

/** Throws where it has none. */
export function fieldsOf(told: unknown): Readonly<Record<string, unknown>> {
  if (!hasFields(told)) throw new Error('It is told otherwise.')
  return told
}

function hasFields(told: unknown): told is Readonly<Record<string, unknown>> {
  return typeof told === 'object' && told !== null
}

/** Throws where these are no rows at all. */
export function rowsOf(told: unknown): readonly (readonly unknown[])[] {
  if (!Array.isArray(told) || told.length > rowsMax || !told.every(Array.isArray))
    throw new Error('It is not told as rows.')
  return told
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= nameCharsMax
}

/** A number from `least` on. */
export function isFrom(least: number, value: unknown, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most
}

/** Hosts have the same names at all gateways. */
export function byName(hosts: Iterable<Host>): ReadonlyMap<string, Host> {
  const named = new Map<string, Host>()
  for (const host of hosts) named.set(host.name, host)
  return named
}
