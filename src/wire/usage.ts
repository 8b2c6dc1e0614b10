/** Token usage in the spellings of the dialects, brought to one form. */
import { skipSpace } from './json-members.ts'
import { isObject, type JsonObject, property } from './json-value.ts'

/** What a host reported; a field it did not report is absent, an explicit zero is a value. */
export interface ReportedUsage {
  readonly input?: number
  readonly cachedInput?: number
  readonly output?: number
  readonly reasoning?: number
  /** It also reported what cannot be believed. */
  readonly rejected?: true
}

/** Beyond this a count is a fault of the host: no context is a billion tokens. */
const tokensMax = 1_000_000_000
const usageKey = Buffer.from('"usage"')

/** Reads a `usage` object; null when it says nothing. What cannot be believed is left out, and that it was there is told. */
export function readUsage(usage: unknown): ReportedUsage | null {
  if (!isObject(usage)) return null
  const output = count(usage, 'completion_tokens') ?? count(usage, 'output_tokens')
  const input = wholeInput(usage, output !== undefined)
  const rejected = isIncredible(usage) || undefined
  if (input === undefined && output === undefined) return rejected ? { rejected } : null
  const cachedInput = count(usage, 'cache_read_input_tokens') ?? firstCountIn(usage, inputDetails, 'cached_tokens')
  const reasoning = firstCountIn(usage, outputDetails, 'reasoning_tokens')
  return withoutAbsent({ input, cachedInput, output, reasoning, rejected })
}

/** A later report of the same stream wins field by field: Anthropic tells input at the start and output at the end. */
export function mergeUsage(earlier: ReportedUsage | null, later: ReportedUsage | null): ReportedUsage | null {
  if (earlier === null || later === null) return later ?? earlier
  return { ...earlier, ...later }
}

/** Finds the last `usage` object in the end of a JSON answer that was not kept whole. */
export function usageInTail(tail: Buffer): ReportedUsage | null {
  const open = usageValue(tail)
  if (tail[open] !== 123) return null
  let depth = 0
  for (let i = open; i < tail.length; i++) {
    // Usage objects hold numbers and nested objects, so braces need no look at strings.
    if (tail[i] === 123) depth++
    else if (tail[i] === 125 && --depth === 0) {
      try {
        return readUsage(JSON.parse(tail.toString('utf8', open, i + 1)))
      } catch {
        // As Python writes NaN and Infinity.
        return { rejected: true }
      }
    }
  }
  return null
}

/**
 * Where the value of the last key `usage` begins; -1 without one. The bytes are no part of a text, since a quote inside
 * of a JSON string is always escaped, but they may be a whole text.
 */
function usageValue(tail: Buffer): number {
  let at = tail.lastIndexOf(usageKey)
  while (at !== -1) {
    const colon = skipSpace(tail, at + usageKey.length)
    if (tail[colon] === 58) return skipSpace(tail, colon + 1)
    at = at === 0 ? -1 : tail.lastIndexOf(usageKey, at - 1)
  }
  return -1
}

/** Anthropic's input_tokens leave cached ones out; a reranker reports a total alone. */
function wholeInput(usage: JsonObject, hasOutput: boolean): number | undefined {
  const input = count(usage, 'prompt_tokens') ?? count(usage, 'input_tokens')
  if (input === undefined) return hasOutput ? undefined : count(usage, 'total_tokens')
  const cacheRead = count(usage, 'cache_read_input_tokens') ?? 0
  const cacheWritten = count(usage, 'cache_creation_input_tokens') ?? 0
  return input + cacheRead + cacheWritten
}

const countKeys = [
  'prompt_tokens',
  'completion_tokens',
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
]
const inputDetails = ['prompt_tokens_details', 'input_tokens_details']
const outputDetails = ['completion_tokens_details', 'output_tokens_details']

function isIncredible(usage: JsonObject): boolean {
  // By index, since each answer comes by: an iterator would make an object for each key.
  for (let i = 0; i < countKeys.length; i++) if (isNoCount(usage[countKeys[i] ?? ''])) return true
  return hasNoCount(usage, inputDetails, 'cached_tokens') || hasNoCount(usage, outputDetails, 'reasoning_tokens')
}

function hasNoCount(usage: JsonObject, holders: readonly string[], key: string): boolean {
  for (let i = 0; i < holders.length; i++) if (isNoCount(property(usage[holders[i] ?? ''], key))) return true
  return false
}

/** Reports are merged field by field, so that what is absent must not be there. */
function withoutAbsent({
  input,
  cachedInput,
  output,
  reasoning,
  rejected,
}: { readonly [Field in keyof ReportedUsage]-?: ReportedUsage[Field] | undefined }): ReportedUsage {
  const reported: { -readonly [Field in keyof ReportedUsage]: ReportedUsage[Field] } = {}
  if (input !== undefined) reported.input = input
  if (cachedInput !== undefined) reported.cachedInput = cachedInput
  if (output !== undefined) reported.output = output
  if (reasoning !== undefined) reported.reasoning = reasoning
  if (rejected !== undefined) reported.rejected = rejected
  return reported
}

function firstCountIn(usage: JsonObject, holders: readonly string[], key: string): number | undefined {
  for (let i = 0; i < holders.length; i++) {
    const value = count(usage[holders[i] ?? ''], key)
    if (value !== undefined) return value
  }
  return undefined
}

function count(from: unknown, key: string): number | undefined {
  const value = property(from, key)
  return isCount(value) ? value : undefined
}

/** Null stands for a count that the host does not have. */
function isNoCount(value: unknown): boolean {
  return value !== undefined && value !== null && !isCount(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= tokensMax
}
