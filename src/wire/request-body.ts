/** What the gateway reads of a JSON request body, and the two changes it may make to the bytes. */
import { GatewayError } from '../base/errors.ts'
import { type Member, objectMembers, type Span } from './json-members.ts'
import { isObject, type JsonObject, parseJson, property } from './json-value.ts'

export interface RequestBody {
  readonly bytes: Buffer
  readonly model: string
  readonly modelSpan: Span
  readonly stream: boolean
  /** Whether the client asked for the usage frame itself. */
  readonly usageAsked: boolean
  /** How many choices the answer will have: n for each prompt. */
  readonly choices: number
  /** Hosts hold tool calls back until they are whole, so gaps between content are longer. */
  readonly hasTools: boolean
  readonly previousResponseId: string | null
  /** Null for a body that is not JSON. */
  readonly members: readonly Member[] | null
}

/** The keys by which the gateway decides; twice in one body, gateway and host could disagree on which one counts. */
const decisiveKeys = new Set([
  'model',
  'stream',
  'stream_options',
  'stream_options.include_usage',
  'n',
  'previous_response_id',
])

/** Reads the decisive fields and leaves all others to the host. Throws GatewayError 400. */
export function readJsonBody(bytes: Buffer, choicesMax: number): RequestBody {
  const body = parseJson(bytes.toString('utf8'))
  if (body === undefined) throw new GatewayError('invalid_json', 'The request body is not valid JSON.')
  if (!isObject(body)) throw new GatewayError('invalid_json', 'The request body must be a JSON object.')
  const members = objectMembers(bytes)
  checkDecisiveKeys(body, members, '')
  const model = modelName(body)
  return {
    bytes,
    model,
    modelSpan: spanOf(members, 'model') ?? { start: 0, end: 0 },
    stream: optionalBoolean(body, 'stream') ?? false,
    usageAsked: usageAsked(body, members, bytes),
    choices: choiceCount(body, choicesMax),
    hasTools: Array.isArray(property(body, 'tools')),
    previousResponseId: optionalString(body, 'previous_response_id'),
    members,
  }
}

/** The same bytes with another model name and, where wanted, with usage asked for. */
export function spliceBody(body: RequestBody, change: { model: string; askUsage: boolean }): Buffer {
  const edits: { span: Span; text: string }[] = []
  if (change.model !== body.model) {
    edits.push({ span: body.modelSpan, text: body.members === null ? change.model : JSON.stringify(change.model) })
  }
  if (change.askUsage && body.members !== null) edits.push(usageEdit(body.bytes, body.members))
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

function usageEdit(bytes: Buffer, members: readonly Member[]): { span: Span; text: string } {
  const options = spanOf(members, 'stream_options')
  if (options === undefined) {
    // Behind the opening brace; a body that reached this point has a model, so a comma is right.
    const start = bytes.indexOf('{') + 1
    return { span: { start, end: start }, text: '"stream_options":{"include_usage":true},' }
  }
  if (bytes[options.start] !== 123) return { span: options, text: '{"include_usage":true}' }
  const inner = objectMembers(bytes, options.start)
  const asked = spanOf(inner, 'include_usage')
  if (asked !== undefined) return { span: asked, text: 'true' }
  const start = options.start + 1
  return { span: { start, end: start }, text: inner.length === 0 ? '"include_usage":true' : '"include_usage":true,' }
}

/** `path` is what stands before the keys in the name of the field. */
function checkDecisiveKeys(object: JsonObject, members: readonly Member[], path: string): void {
  const seen = new Set<string>()
  for (const { key } of members) {
    const param = path + key
    if (!decisiveKeys.has(param)) continue
    if (seen.has(param)) {
      throw new GatewayError('invalid_request', `"${param}" appears twice in the request body; send it once.`, {
        param,
      })
    }
    // V8 may give a key written with escapes another name: https://github.com/nodejs/node/issues/63785
    if (!Object.hasOwn(object, key)) {
      throw new GatewayError('invalid_request', `"${param}" is written with escapes; write it plainly.`, { param })
    }
    seen.add(param)
  }
}

function usageAsked(body: JsonObject, members: readonly Member[], bytes: Buffer): boolean {
  const param = 'stream_options'
  const options = property(body, param) ?? null
  if (options === null) return false
  if (!isObject(options)) throw new GatewayError('invalid_request', `"${param}" must be an object.`, { param })
  checkDecisiveKeys(options, objectMembers(bytes, spanOf(members, param)?.start), `${param}.`)
  return optionalBoolean(options, 'include_usage', `${param}.include_usage`) ?? false
}

function spanOf(members: readonly Member[], key: string): Span | undefined {
  return members.findLast((member) => member.key === key)?.value
}

function modelName(body: JsonObject): string {
  const model = property(body, 'model')
  if (typeof model === 'string' && model !== '') return model
  const problem = model === undefined ? 'is missing' : 'must be a string that is not empty'
  throw new GatewayError('invalid_request', `"model" ${problem}; GET /v1/models lists what is there.`, {
    param: 'model',
  })
}

function optionalBoolean(from: JsonObject, key: string, param = key): boolean | null {
  const value = property(from, key) ?? null
  if (value === null || typeof value === 'boolean') return value
  throw new GatewayError('invalid_request', `"${param}" must be true or false.`, { param })
}

function optionalString(body: JsonObject, key: string): string | null {
  const value = property(body, key) ?? null
  if (value === null || typeof value === 'string') return value
  throw new GatewayError('invalid_request', `"${key}" must be a string.`, { param: key })
}

function choiceCount(body: JsonObject, choicesMax: number): number {
  const n = property(body, 'n') ?? 1
  if (typeof n !== 'number' || !Number.isInteger(n) || n < 1 || n > choicesMax) {
    throw new GatewayError('invalid_request', `"n" must be a whole number from 1 to ${choicesMax}.`, { param: 'n' })
  }
  const prompt = property(body, 'prompt')
  // A list of numbers is one prompt of tokens; a list of anything else is a list of prompts.
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1
  return n * prompts
}
