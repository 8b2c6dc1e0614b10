/** What the gateway reads of a JSON request body, and the four changes it may make to the bytes. */
import { GatewayError } from '../base/errors.ts'
import { keyMatcher } from './json-key.ts'
import { MemberCursor, notJson, type Span, skipSpace } from './json-members.ts'
import { type OutputLimit, type OutputLimitKey, outputLimitEdits, outputLimitKeys } from './output-limit.ts'
import { type PromptSpans, promptKeys } from './prompt-parts.ts'
import { type NameSpans, nameKeys } from './session-names.ts'
import { tokensAt } from './token-bound.ts'

export interface RequestBody {
  readonly bytes: Buffer
  readonly model: string
  readonly modelSpan: Span
  readonly stream: boolean
  /** Whether the client asked for the usage frame itself. */
  readonly usageAsked: boolean
  /** How many choices the answer will have: n for each prompt. */
  readonly choices: number
  /** How many the host generates to choose from: best_of in the place of n. */
  readonly generations: number
  /** Bounds of one choice's length, as they stand there. */
  readonly outputLimits: readonly OutputLimit[]
  /** Hosts hold tool calls back until they are whole, so gaps between content are longer. */
  readonly hasTools: boolean
  /** LMX's own field: no more of the prompt and its answer together is to be kept; null where it is absent or no number. */
  readonly numCtx: number | null
  readonly previousResponseId: string | null
  /** What its prompt and its conversation can be told by, where it stands. */
  readonly noticed: NoticedSpans
  /** What makes the host tell usage; null for a body that is not JSON. */
  readonly usageEdit: Edit | null
  /** What turns streaming on; null for a body that is not JSON. */
  readonly streamEdit: Edit | null
}

export type NoticedSpans = PromptSpans & NameSpans

export interface Edit {
  readonly span: Span
  readonly text: string
}

/** No model or stored response has a longer name; these are held and compared for as long as the request waits. */
export const nameCharsMax = 256
/** Each character may be written as `\u0065`. */
const nameBytesMax = 6 * nameCharsMax + 2
/** The longest way of writing a number of choices that need be understood. */
const numberBytesMax = 32

const QUOTE = 34
const LIST_OPEN = 91
const BACKSLASH = 92
const OBJECT_OPEN = 123
const LOWER_F = 102
const LOWER_N = 110
const LOWER_T = 116

/** The keys by which the gateway decides; twice in one body, gateway and host could disagree on which one counts. */
const decisiveKeys = [
  'model',
  'stream',
  'stream_options',
  'n',
  'best_of',
  'n_cmpl',
  'previous_response_id',
  ...outputLimitKeys,
] as const
/** Of these the last one counts: they decide nothing that a client could gain by. */
const hintKeys = [...promptKeys, ...nameKeys, 'num_ctx' as const]
/** Counted wherever it stands and however it is written: there is no telling which one a host reads. */
const countedKey = 'messages'
const matchKey = keyMatcher([...decisiveKeys, ...hintKeys])
const matchOption = keyMatcher(['include_usage'])
const hints: ReadonlySet<string> = new Set(hintKeys)

type DecisiveKey = (typeof decisiveKeys)[number]
type HintKey = (typeof hintKeys)[number]
type Spans<Key extends string> = { [K in Key]?: Span }
type BodySpans = Spans<DecisiveKey> & { readonly noticed: Spans<HintKey>; promptItems: number }

export interface BodyRules {
  readonly choicesMax: number
  readonly messagesMax: number
}

/** Reads the decisive fields and leaves all others to the host. Throws GatewayError 400. */
export function readJsonBody(bytes: Buffer, { choicesMax, messagesMax }: BodyRules): RequestBody {
  const spans = bodySpans(bytes, messagesMax)
  const model = modelName(bytes, spans.model)
  const { noticed } = spans
  const prompts = promptCount(bytes, noticed.prompt, spans.promptItems)
  const n = readCount(bytes, spans.n, 'n', choicesMax)
  // llama.cpp's own name for it, which counts there before the other.
  const nCmpl = readCount(bytes, spans.n_cmpl, 'n_cmpl', choicesMax)
  const usage = usageOf(bytes, spans.stream_options)
  return {
    bytes,
    model,
    modelSpan: spans.model ?? { start: 0, end: 0 },
    stream: readBoolean(bytes, spans.stream, 'stream') ?? false,
    usageAsked: usage.asked,
    usageEdit: usage.edit,
    streamEdit: streamEditOf(bytes, spans.stream),
    choices: n * prompts,
    generations: Math.max(n, nCmpl, boundAt(bytes, spans.best_of) ?? 1) * prompts,
    outputLimits: outputLimitsOf(bytes, spans),
    hasTools: noticed.tools !== undefined && bytes[noticed.tools.start] === LIST_OPEN,
    numCtx: boundAt(bytes, noticed.num_ctx),
    previousResponseId: readName(bytes, spans.previous_response_id, 'previous_response_id'),
    noticed,
  }
}

export interface BodyChange {
  readonly model: string
  readonly askUsage: boolean
  /** Streamed, whatever the client asked for. */
  readonly askStream?: boolean
  /** No choice may be longer; `own` is how the endpoint spells it. */
  readonly outputLimit?: { readonly own: OutputLimitKey; readonly tokensMax: number } | null
}

/** The same bytes with another model name and, where wanted, with usage or a stream asked for, or a bound of its length. */
export function spliceBody(body: RequestBody, change: BodyChange): Buffer {
  const edits: Edit[] = []
  if (change.model !== body.model) {
    edits.push({ span: body.modelSpan, text: body.usageEdit === null ? change.model : JSON.stringify(change.model) })
  }
  if (change.askUsage && body.usageEdit !== null) edits.push(body.usageEdit)
  if (change.askStream === true && !body.stream && body.streamEdit !== null) edits.push(body.streamEdit)
  if (change.outputLimit != null) {
    const start = skipSpace(body.bytes, 0) + 1
    edits.push(...outputLimitEdits(body.outputLimits, { ...change.outputLimit, start }))
  }
  if (edits.length === 0) return body.bytes
  edits.sort((a, b) => a.span.start - b.span.start)
  const parts: Buffer[] = []
  let at = 0
  for (const { span, text } of edits) {
    parts.push(body.bytes.subarray(at, span.start), Buffer.from(text))
    at = span.end
  }
  parts.push(body.bytes.subarray(at))
  return Buffer.concat(parts)
}

function bodySpans(bytes: Buffer, messagesMax: number): BodySpans {
  const start = skipSpace(bytes, 0)
  if (start === bytes.length) throw new GatewayError('invalid_json', 'The request body is empty; send a JSON object.')
  if (bytes[start] !== OBJECT_OPEN) throw new GatewayError('invalid_json', 'The request body must be a JSON object.')
  const spans: BodySpans = { noticed: {}, promptItems: 0 }
  const cursor = new MemberCursor(bytes, start)
  while (cursor.next()) {
    const match = matchKey(bytes, cursor.keyStart, cursor.keyEnd)
    if (match === null) continue
    const { word, exact } = match
    if (word === countedKey && cursor.valueItems > messagesMax) throw tooMany(messagesMax)
    const span = { start: cursor.valueStart, end: cursor.valueEnd }
    if (isHint(word)) {
      if (!exact) continue
      if (word === 'prompt') spans.promptItems = cursor.valueItems
      spans.noticed[word] = span
    } else {
      checkDecisiveKey(word, exact, spans[word] !== undefined)
      spans[word] = span
    }
  }
  const end = skipSpace(bytes, cursor.end)
  if (end !== bytes.length) throw notJson(end)
  return spans
}

function isHint(word: DecisiveKey | HintKey): word is HintKey {
  return hints.has(word)
}

function tooMany(messagesMax: number): GatewayError {
  const message = `"${countedKey}" may hold at most ${messagesMax} messages.`
  return new GatewayError('invalid_request', message, { param: countedKey })
}

/** A host that reads keys without regard to case, as Ollama does, must not find another value than the gateway. */
function checkDecisiveKey(param: string, exact: boolean, seen: boolean): void {
  if (!exact) {
    throw new GatewayError('invalid_request', `Write "${param}" in small letters; some hosts read any.`, { param })
  }
  if (seen) {
    throw new GatewayError('invalid_request', `"${param}" appears twice in the request body; send it once.`, { param })
  }
}

function usageOf(bytes: Buffer, options: Span | undefined): { readonly asked: boolean; readonly edit: Edit } {
  if (options === undefined) {
    // Behind the opening brace; a body that is let through has a model, so a comma is right.
    const text = '"stream_options":{"include_usage":true},'
    return { asked: false, edit: { span: emptySpan(skipSpace(bytes, 0) + 1), text } }
  }
  if (bytes[options.start] === LOWER_N) {
    return { asked: false, edit: { span: options, text: '{"include_usage":true}' } }
  }
  const param = 'stream_options'
  if (bytes[options.start] !== OBJECT_OPEN) {
    throw new GatewayError('invalid_request', `"${param}" must be an object.`, { param })
  }
  let asked: Span | undefined
  const cursor = new MemberCursor(bytes, options.start)
  while (cursor.next()) {
    const match = matchOption(bytes, cursor.keyStart, cursor.keyEnd)
    if (match === null) continue
    checkDecisiveKey(`${param}.${match.word}`, match.exact, asked !== undefined)
    asked = { start: cursor.valueStart, end: cursor.valueEnd }
  }
  const isAsked = readBoolean(bytes, asked, `${param}.include_usage`) ?? false
  if (asked !== undefined) return { asked: isAsked, edit: { span: asked, text: 'true' } }
  const text = cursor.count === 0 ? '"include_usage":true' : '"include_usage":true,'
  return { asked: isAsked, edit: { span: emptySpan(options.start + 1), text } }
}

function streamEditOf(bytes: Buffer, stream: Span | undefined): Edit {
  if (stream !== undefined) return { span: stream, text: 'true' }
  return { span: emptySpan(skipSpace(bytes, 0) + 1), text: '"stream":true,' }
}

function emptySpan(start: number): Span {
  return { start, end: start }
}

function modelName(bytes: Buffer, span: Span | undefined): string {
  const param = 'model'
  if (span !== undefined && bytes[span.start] === QUOTE) {
    const model = readName(bytes, span, param)
    if (model !== null && model !== '') return model
  }
  const problem = span === undefined ? 'is missing' : 'must be a string that is not empty'
  throw new GatewayError('invalid_request', `"${param}" ${problem}; GET /v1/models lists what is there.`, { param })
}

function readName(bytes: Buffer, span: Span | undefined, param: string): string | null {
  if (span === undefined || bytes[span.start] === LOWER_N) return null
  if (bytes[span.start] !== QUOTE) {
    throw new GatewayError('invalid_request', `"${param}" must be a string.`, { param })
  }
  if (span.end - span.start > nameBytesMax) throw tooLongName(param)
  const name = readText(bytes, span)
  if (name.length > nameCharsMax) throw tooLongName(param)
  return name
}

export function tooLongName(param: string): GatewayError {
  const message = `"${param}" is longer than ${nameCharsMax} characters; no such name is known here.`
  return new GatewayError('invalid_request', message, { param })
}

function readText(bytes: Buffer, { start, end }: Span): string {
  if (isPlain(bytes, start + 1, end - 1)) return bytes.toString('latin1', start + 1, end - 1)
  try {
    return String(JSON.parse(bytes.toString('utf8', start, end)))
  } catch {
    throw notJson(start)
  }
}

const noLimits: readonly OutputLimit[] = []

/** Each byte is a letter as it stands there, as in almost any name. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte < 32 || byte > 126 || byte === BACKSLASH) return false
  }
  return true
}

function outputLimitsOf(bytes: Buffer, spans: BodySpans): readonly OutputLimit[] {
  let limits = noLimits
  for (let i = 0; i < outputLimitKeys.length; i++) {
    const key = outputLimitKeys[i]
    const span = key && spans[key]
    if (key === undefined || span === undefined) continue
    const { tokens, inQuotes } = tokensAt(bytes, span)
    const limit = { key, span, tokens, inQuotes }
    limits = limits === noLimits ? [limit] : [...limits, limit]
  }
  return limits
}

/** Whichever way it is written: where some host may read a bound there is one. */
function boundAt(bytes: Buffer, span: Span | undefined): number | null {
  if (span === undefined) return null
  const { tokens, inQuotes } = tokensAt(bytes, span)
  return tokens ?? inQuotes
}

function readBoolean(bytes: Buffer, span: Span | undefined, param: string): boolean | null {
  // Words are whole where the cursor let them through, so that the first letter tells which one it is.
  const first = span === undefined ? LOWER_N : bytes[span.start]
  if (first === LOWER_N) return null
  if (first === LOWER_T || first === LOWER_F) return first === LOWER_T
  throw new GatewayError('invalid_request', `"${param}" must be true or false.`, { param })
}

function readCount(bytes: Buffer, span: Span | undefined, param: 'n' | 'n_cmpl', choicesMax: number): number {
  if (span === undefined || bytes[span.start] === LOWER_N) return 1
  const text = shortValue(bytes, span)
  // Quotes and brackets make no number; NaN is no integer.
  const n = /^[-\d]/.test(text) ? Number(text) : Number.NaN
  if (Number.isInteger(n) && n >= 1 && n <= choicesMax) return n
  throw new GatewayError('invalid_request', `"${param}" must be a whole number from 1 to ${choicesMax}.`, { param })
}

/** The bytes of a literal or number; of anything longer no more than is needed to see that it is none. */
function shortValue(bytes: Buffer, span: Span): string {
  return span.end - span.start > numberBytesMax ? '' : bytes.toString('latin1', span.start, span.end)
}

/** A list of numbers is one prompt of tokens; a list of anything else is a list of prompts. */
function promptCount(bytes: Buffer, prompt: Span | undefined, items: number): number {
  if (prompt === undefined || bytes[prompt.start] !== LIST_OPEN) return 1
  const first = bytes[skipSpace(bytes, prompt.start + 1)] ?? 0
  return /[-\d]/.test(String.fromCharCode(first)) ? 1 : Math.max(1, items)
}
