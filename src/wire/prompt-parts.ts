/** What of a request's body becomes the prompt, in the order in which engines put it together. */
import { ItemCursor, valueStop } from './json-items.ts'
import { keyMatcher } from './json-key.ts'
import { MemberCursor, type Span, skipSpace } from './json-members.ts'

/**
 * Change the very beginning, so that nothing of another prompt is of use: gpt-oss tells its effort before anything else.
 * With them what only divides the cache of a host: salts, weights that are added to those of the model, a slot by its number.
 */
const seedKeys = [
  'chat_template',
  'chat_template_kwargs',
  'reasoning_effort',
  'reasoning',
  'thinking',
  'response_format',
  // vLLM and SGLang, and SGLang alone.
  'cache_salt',
  'extra_key',
  // llama.cpp, SGLang, MLX, TGI.
  'lora',
  'lora_path',
  'adapters',
  'adapter_id',
  // llama.cpp, by its versions.
  'id_slot',
  'slot_id',
] as const
/** With them a host reads all of the prompt, whatever it has kept of it. */
const uncachedKeys = ['cache_prompt', 'prompt_logprobs'] as const
/**
 * Many conversations have these in common. `tool_choice` is not among them: templates do not show it, and clients change
 * it from turn to turn.
 */
const commonKeys = ['tools', 'functions', 'documents', 'system', 'instructions'] as const
const ownKeys = ['messages', 'input', 'prompt'] as const
const keysInOrder = [...seedKeys, ...commonKeys, ...ownKeys] as const

export const promptKeys = [...keysInOrder, ...uncachedKeys] as const
export type PromptKey = (typeof promptKeys)[number]
const ownFrom = seedKeys.length + commonKeys.length
/** Values of a body by their keys; of one that stands there twice the last. */
export type PromptSpans = Readonly<Partial<Record<PromptKey, Span>>>

export interface PromptPiece {
  /** Most often those of the whole body. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** By which key it came; pieces of different kinds are not the same. */
  readonly kind: number
  /** `common`: tools and the words of the system, which many conversations begin with. */
  readonly role: 'seed' | 'common' | 'own'
}

const COMMA = 44
const COLON = 58
const QUOTE = 34
const LIST_OPEN = 91
const LOWER_F = 102
const LOWER_N = 110
const OBJECT_OPEN = 123

const system = Buffer.from('"system"')
const developer = Buffer.from('"developer"')
const matchRole = keyMatcher(['role'])
/**
 * Clients of Anthropic's API move this mark along from turn to turn. It is no part of the prompt, and with it the same
 * message would be another one.
 */
const mark = Buffer.from('"cache_control"')
/** What stands behind so many items of a list is one piece: as many messages as a body may have by default. */
export const listPiecesMax = 4_096

/**
 * A message, an item or a prompt of a list is a piece of its own, tokens of a prompt are one together; empty for a body
 * that has none of it.
 */
export function promptPieces(bytes: Buffer, spans: PromptSpans): readonly PromptPiece[] {
  const pieces: PromptPiece[] = []
  // By index, since each request comes by: an iterator would make an object for each key.
  for (let kind = 0; kind < keysInOrder.length; kind++) {
    const key = keysInOrder[kind]
    const span = key && spans[key]
    if (span === undefined) continue
    const { start, end } = span
    if (kind < seedKeys.length) pieces.push({ bytes, start, end, kind, role: 'seed' })
    else if (kind < ownFrom) pieces.push({ bytes, start, end, kind, role: 'common' })
    else if (isListOfTexts(bytes, span)) addItems(pieces, bytes, span, kind)
    else pieces.push({ bytes, start, end, kind, role: 'own' })
  }
  // Looked for once: of each piece again, it would be looked for in all that follows as often as there are pieces.
  const marks = marksIn(bytes)
  return marks.length === 0 ? pieces : pieces.map((piece) => withoutMarks(piece, marks))
}

function addItems(pieces: PromptPiece[], bytes: Buffer, span: Span, kind: number): void {
  let role: PromptPiece['role'] = 'common'
  const items = new ItemCursor(bytes, span.start)
  for (let count = 0; items.next(); count++) {
    const { start } = items
    const isRest = count === listPiecesMax - 1
    const end = isRest ? span.end : items.end
    if (role === 'common' && !isOfSystem(bytes, start)) role = 'own'
    pieces.push({ bytes, start, end, kind, role })
    if (isRest) break
  }
}

/** Whether a host may make use of what it has kept, as far as its client has a say in that. */
export function usesCache(bytes: Buffer, { cache_prompt, prompt_logprobs }: PromptSpans): boolean {
  // llama.cpp's; whatever else stands there it takes for the default.
  if (cache_prompt !== undefined && bytes[cache_prompt.start] === LOWER_F) return false
  // vLLM's: the likelihood of each token of the prompt, which it has kept of none.
  return prompt_logprobs === undefined || bytes[prompt_logprobs.start] === LOWER_N
}

/** A message at the beginning that is what others call the system prompt. */
function isOfSystem(bytes: Buffer, start: number): boolean {
  if (bytes[start] !== OBJECT_OPEN) return false
  try {
    const cursor = new MemberCursor(bytes, start)
    while (cursor.next()) {
      if (matchRole(bytes, cursor.keyStart, cursor.keyEnd)?.exact !== true) continue
      const { valueStart, valueEnd } = cursor
      return is(bytes, valueStart, valueEnd, system) || is(bytes, valueStart, valueEnd, developer)
    }
  } catch {
    // It is no JSON inside, which is for the host to say.
  }
  return false
}

function is(bytes: Buffer, start: number, end: number, word: Buffer): boolean {
  return end - start === word.length && bytes.compare(word, 0, word.length, start, end) === 0
}

/** Whether it has messages, items or prompts, and not the numbers of tokens. */
function isListOfTexts(bytes: Buffer, { start }: Span): boolean {
  if (bytes[start] !== LIST_OPEN) return false
  const first = bytes[skipSpace(bytes, start + 1)]
  return first === OBJECT_OPEN || first === QUOTE
}

const none: readonly number[] = []

/** Where the marks are, the first one first. */
function marksIn(bytes: Buffer): readonly number[] {
  let at = bytes.indexOf(mark)
  if (at === -1) return none
  const marks: number[] = []
  for (; at !== -1; at = bytes.indexOf(mark, at + mark.length)) marks.push(at)
  return marks
}

/** Of sorted numbers, how many are smaller. */
function countBelow(sorted: readonly number[], limit: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? limit) < limit) low = middle + 1
    else high = middle
  }
  return low
}

/** The same piece without the members of that name. */
function withoutMarks(piece: PromptPiece, marks: readonly number[]): PromptPiece {
  const { start, end } = piece
  const first = countBelow(marks, start)
  if ((marks[first] ?? end) >= end) return piece
  // Alone, so that one that is no JSON inside is not read on through all that follows it.
  const own = piece.bytes.subarray(start, end)
  const rest = Buffer.allocUnsafe(own.length)
  let length = 0
  let from = 0
  for (let index = first; index < marks.length; index++) {
    const at = (marks[index] ?? end) - start
    if (at >= own.length) break
    // Inside of what another mark took along.
    if (at < from) continue
    const span = memberAt(own, at, from)
    if (span === null) continue
    length += own.copy(rest, length, from, span.start)
    from = span.end
  }
  if (from === 0) return piece
  length += own.copy(rest, length, from)
  return { ...piece, bytes: rest, start: 0, end: length }
}

/** With the comma that it takes along; null where the word is no key. */
function memberAt(bytes: Buffer, keyStart: number, least: number): Span | null {
  const colon = skipSpace(bytes, keyStart + mark.length)
  if (bytes[colon] !== COLON) return null
  const stop = valueStop(bytes, skipSpace(bytes, colon + 1))
  let before = keyStart - 1
  while (before > least && bytes[before] !== COMMA && bytes[before] !== OBJECT_OPEN) before--
  if (bytes[before] === COMMA) return { start: before, end: stop }
  return { start: keyStart, end: bytes[stop] === COMMA ? stop + 1 : stop }
}
