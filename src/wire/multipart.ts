/** Finds the `model` field of a multipart form (RFC 7578) in its bytes; nothing else of the form is read. */
import { GatewayError } from '../base/errors.ts'
import { headerParameters, type Parameter } from './header-parameters.ts'
import type { Span } from './json-members.ts'
import { nameCharsMax, type RequestBody, tooLongName } from './request-body.ts'

/** RFC 2046 5.1.1 */
const boundaryBytesMax = 70
/** A part's own headers are a few lines; more is not looked through. */
const partHeaderBytesMax = 8_192
/** More than any name has, in the longest UTF-8, with some space around. */
const fieldBytesMax = 4 * nameCharsMax

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DASH = 45

/** What the gateway reads; a host must not find another one where it reads the form in another way. */
const decisiveFields = ['model', 'stream'] as const
type DecisiveField = (typeof decisiveFields)[number]

/** Throws GatewayError 400 when the form cannot be read, can be read in two ways, or has no model. */
export function readMultipartBody(bytes: Buffer, contentType: string): RequestBody {
  const fields: { [Field in DecisiveField]?: Span } = {}
  for (const { header, value } of parts(bytes, boundaryOf(contentType))) {
    const name = decisiveField(header)
    if (name === null) continue
    if (fields[name] !== undefined) throw refused(`The form has the field "${name}" twice; send it once.`, name)
    fields[name] = value
  }
  const { model: modelSpan, stream } = fields
  if (modelSpan === undefined) throw refused('The form has no field "model".', 'model')
  return {
    bytes,
    model: modelName(bytes, modelSpan),
    modelSpan,
    stream: stream !== undefined && stream.end - stream.start <= fieldBytesMax && text(bytes, stream) === 'true',
    usageAsked: false,
    choices: 1,
    generations: 1,
    outputLimits: [],
    hasTools: false,
    numCtx: null,
    previousResponseId: null,
    noticed: {},
    usageEdit: null,
    streamEdit: null,
  }
}

function refused(message: string, param?: DecisiveField): GatewayError {
  return new GatewayError('invalid_request', message, { param })
}

function modelName(bytes: Buffer, span: Span): string {
  if (span.end - span.start > fieldBytesMax) throw tooLongName('model')
  const model = text(bytes, span)
  if (model === '') throw refused('The field "model" is empty.', 'model')
  if (model.length > nameCharsMax) throw tooLongName('model')
  return model
}

function boundaryOf(contentType: string): string {
  const parameters = headerParameters(contentType)?.parameters
  const boundary = parameters?.get('boundary')
  const isUsable = boundary?.plain === true && boundary.text !== '' && boundary.text.length <= boundaryBytesMax
  if (!isUsable || hasExtended(parameters, 'boundary')) {
    throw refused('The multipart content type has no usable boundary.')
  }
  return boundary.text
}

interface Part {
  /** Without the empty line behind it. */
  readonly header: string
  readonly value: Span
}

function* parts(bytes: Buffer, boundary: string): Generator<Part> {
  const mark = Buffer.from(`--${boundary}`)
  let before = nextDelimiter(bytes, mark, 0)
  if (before === null) throw refused('The multipart body does not contain its boundary.')
  while (!before.isLast) {
    const next = nextDelimiter(bytes, mark, before.end)
    if (next === null) throw refused('The multipart body ends before its last boundary.')
    // Looked for inside of the part alone: a form of many parts without it would be searched to its end for each.
    const head = bytes.subarray(before.end, Math.min(next.start, before.end + partHeaderBytesMax))
    const headBytes = head.indexOf('\r\n\r\n')
    // A reader for which a line ends with LF alone could find an end, and a field.
    if (headBytes === -1) {
      throw refused(`A part of the form has no empty line behind its headers, within ${partHeaderBytesMax} bytes.`)
    }
    yield { header: head.toString('utf8', 0, headBytes), value: { start: before.end + headBytes + 4, end: next.start } }
    before = next
  }
}

interface Delimiter {
  /** At the line end before it, which belongs to it. */
  readonly start: number
  /** At the line end behind it, which also ends an empty header. */
  readonly end: number
  readonly isLast: boolean
}

function nextDelimiter(bytes: Buffer, mark: Buffer, from: number): Delimiter | null {
  for (let at = bytes.indexOf(mark, from); at !== -1; at = bytes.indexOf(mark, at + 1)) {
    const found = delimiterAt(bytes, at, at + mark.length)
    if (found !== null) return found
  }
  return null
}

/**
 * A delimiter fills its line, spaces at its end apart; the same bytes in a longer word are content. Where one stands on
 * a line that only a mail parser takes for one, ended by CR or LF alone, the form is refused: it has two readings.
 */
function delimiterAt(bytes: Buffer, mark: number, markEnd: number): Delimiter | null {
  // The first one may stand at the very start, with no line end before it.
  const start = Math.max(0, mark - 2)
  const begins = mark === 0 ? 'line' : lineEndAt(bytes, start, mark - 1)
  const isLast = bytes[markEnd] === DASH && bytes[markEnd + 1] === DASH
  const end = blanksEnd(bytes, isLast ? markEnd + 2 : markEnd)
  const ends = isLast && end === bytes.length ? 'line' : lineEndAt(bytes, end, end)
  if (begins === 'none' || (ends === 'none' && !isLast)) return null
  if (begins === 'line' && ends === 'line') return { start, end, isLast }
  throw refused('A boundary of the form does not stand on a line of its own, begun and ended by CR LF.')
}

function blanksEnd(bytes: Buffer, from: number): number {
  let end = from
  while (bytes[end] === SPACE || bytes[end] === TAB) end++
  return end
}

/** Whether CR LF is at `at`; `half` when all there is at `single` is one of the two. */
function lineEndAt(bytes: Buffer, at: number, single: number): 'line' | 'half' | 'none' {
  if (bytes[at] === CR && bytes[at + 1] === LF) return 'line'
  return bytes[single] === CR || bytes[single] === LF ? 'half' : 'none'
}

/** Which of the fields it is that decide; null for any other part. */
function decisiveField(header: string): DecisiveField | null {
  const disposition = dispositionOf(header)
  if (disposition === null) return null
  const parsed = headerParameters(disposition)
  if (parsed?.value !== 'form-data') throw refused('A part of the form has a Content-Disposition that cannot be read.')
  const { parameters } = parsed
  const name = plainName(parameters)
  const field = decisiveFields.find((one) => one.toUpperCase() === name.text.toUpperCase())
  if (field === undefined) return null
  if (name.text !== field || !name.plain) {
    throw refused(`Write the field name "${field}" in plain small letters.`, field)
  }
  if (parameters.has('filename') || hasExtended(parameters, 'filename')) {
    throw refused(`The field "${field}" must not be a file: send it without a filename.`, field)
  }
  return field
}

/** `name*` is RFC 8187, which RFC 7578 4.2 forbids here, and `=?` RFC 2047; mail parsers decode both. */
function plainName(parameters: ReadonlyMap<string, Parameter>): Parameter {
  const name = parameters.get('name') ?? { text: '', plain: true }
  if (hasExtended(parameters, 'name') || name.text.includes('=?')) {
    throw refused('A part of the form has an encoded name; write names plainly.')
  }
  return name
}

/** The value of Content-Disposition; null for a part without it, which is no field. */
function dispositionOf(header: string): string | null {
  // The text begins with the end of the boundary's line.
  const lines = header.split('\r\n').slice(1)
  const values: string[] = []
  for (const line of lines) {
    const [, name, value = ''] = headerLine.exec(line) ?? []
    if (name === undefined) throw refused('A part of the form has a header line that is folded or no header.')
    if (name.toLowerCase() === 'content-disposition') values.push(value)
  }
  if (values.length > 1) throw refused('A part of the form has two headers Content-Disposition; send one.')
  return values[0] ?? null
}

/** A line that begins with a space continues the last one to some readers; a lone CR or LF ends one to others. */
// oxlint-disable-next-line no-control-regex
const headerLine = /^([^\s:]+):([^\x00-\x08\x0a-\x1f\x7f]*)$/

/** Whether it is there as RFC 8187 or RFC 2231 write it: `name*`, `name*0`, `name*0*`. */
function hasExtended(parameters: ReadonlyMap<string, unknown> | undefined, name: string): boolean {
  return parameters !== undefined && [...parameters.keys()].some((key) => key.startsWith(`${name}*`))
}

function text(bytes: Buffer, span: Span): string {
  return bytes.toString('utf8', span.start, span.end).trim()
}
