/** Turns zod's issues into sentences for an operator: what is expected, what is there instead, what was probably meant. */
import type { z } from 'zod'
import { hostsExample } from './host-example.ts'
import { suggestion } from './nearest.ts'
import { type ConfigPath, type Finding, formatPath } from './problem.ts'
import { knownKeys, pathsOfKey } from './schema-keys.ts'
import { valueAt } from './untyped.ts'

type Issue = z.core.$ZodIssue

export interface FindingsOptions {
  /** What was checked, to say what stands there. */
  readonly input: unknown
  /** True where the value must not be shown. */
  readonly hidden: (path: ConfigPath) => boolean
}

export function findingsOf(issues: readonly Issue[], options: FindingsOptions): Finding[] {
  return issues.flatMap((issue) => fromIssue(issue, [], options))
}

function fromIssue(issue: Issue, base: ConfigPath, options: FindingsOptions): Finding[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], part: 'key', message: unknownKey(path, key) }))
    case 'invalid_union':
      return fromUnion(issue, path, options)
    case 'invalid_key':
      return [{ path, part: 'key', message: 'the name must not be empty' }]
    default: {
      const value = valueAt(options.input, path)
      const missing = issue.code === 'invalid_type' && value === undefined
      const tail = missing || options.hidden(path) ? '' : shown(value)
      const message = missing ? 'is required' : `${sentence(issue, tail, path)}${formHint(issue, path, value)}`
      return [{ path, part: 'value', message }]
    }
  }
}

function sentence(issue: Issue, tail: string, path: ConfigPath): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeNames[issue.expected] ?? issue.expected}${unit(issue.expected, path)}${tail}`
    case 'too_small':
      return `${tooSmall(issue.origin, Number(issue.minimum))}${issue.origin === 'number' || issue.origin === 'int' ? tail : ''}`
    case 'too_big':
      return `must be at most ${Number(issue.maximum)}${tail}`
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map(String))}${tail}`
    default:
      return issue.message
  }
}

/** The list of hosts is what a first file holds, and a bare URL what people write there. */
function formHint(issue: Issue, path: ConfigPath, value: unknown): string {
  const isHosts = path[0] === 'hosts' && (path.length === 1 || (path.length === 2 && typeof path[1] === 'number'))
  return isHosts && issue.code === 'invalid_type' ? `; write it like ${hostsExample(value)}` : ''
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text (put it in quotes)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping of "key: value" lines',
  record: 'a mapping of "key: value" lines',
  array: 'a list',
}

/** Whoever writes "60s" wants to know what to write instead. */
function unit(expected: string, path: ConfigPath): string {
  return (expected === 'number' || expected === 'int') && /Ms(?:Max)?$/.test(String(path.at(-1)))
    ? ' of milliseconds'
    : ''
}

function tooSmall(origin: string, minimum: number): string {
  if (origin === 'array')
    return minimum === 1 ? 'must have at least one entry' : `must have at least ${minimum} entries`
  if (origin !== 'string') return `must be at least ${minimum}`
  return minimum === 1 ? 'must not be empty' : `must have at least ${minimum} characters`
}

/** Follows the branch that the author was in: the one whose outer form fits. */
function fromUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: ConfigPath,
  options: FindingsOptions,
): Finding[] {
  const fitting = issue.errors.find((branch) =>
    branch.every((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'),
  )
  if (fitting !== undefined) return fitting.flatMap((inner) => fromIssue(inner, path, options))
  const forms = issue.errors.flatMap((branch) =>
    branch.flatMap((inner) => (inner.code === 'invalid_type' ? [typeNames[inner.expected] ?? inner.expected] : [])),
  )
  return [{ path, part: 'value', message: `must be ${oneOf(forms)}` }]
}

function unknownKey(path: ConfigPath, key: string): string {
  const elsewhere = pathsOfKey(key).map(formatPath)
  if (elsewhere.length > 0) return `unknown key here; did you mean ${oneOf(elsewhere)}?`
  return `unknown key${suggestion(key, knownKeys(path))}`
}

/** `, not "abc"`: what stands there, as far as it fits on a line. */
function shown(value: unknown): string {
  // A URL at a wrong place may carry credentials.
  if (typeof value === 'string' && /[@?]/.test(value)) return ''
  if (typeof value === 'string') return `, not ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`
  if (typeof value === 'number' || typeof value === 'boolean') return `, not ${value}`
  if (value === null) return ', not empty'
  return Array.isArray(value) ? ', not a list' : ', not a mapping'
}

function oneOf(words: readonly string[]): string {
  const head = words.slice(0, -1)
  return head.length === 0 ? (words[0] ?? '') : `${head.join(', ')} or ${words.at(-1)}`
}
