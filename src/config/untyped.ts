/** Reads input that nothing has checked yet: what is not of the wanted form counts as not there. */
import type { ConfigPath } from './problem.ts'

export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The value at `path`; undefined where there is none. */
export function valueAt(input: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, part) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    return Object.entries(value).find(([key]) => key === String(part))?.[1]
  }, input)
}

/** A copy of `target` with `value` at `path`; what is in the way and no mapping stays, for the schema to refuse. */
export function withValueAt(target: unknown, path: ConfigPath, value: unknown): unknown {
  const [first, ...rest] = path
  if (first === undefined) return value
  const base = target ?? {}
  if (typeof base !== 'object' || Array.isArray(base)) return target
  const below: unknown = Object.entries(base).find(([key]) => key === String(first))?.[1]
  return { ...base, [first]: withValueAt(below, rest, value) }
}
