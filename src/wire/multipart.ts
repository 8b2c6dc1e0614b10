/** Finds the `model` field of a multipart form (RFC 7578) in its bytes; nothing else of the form is read. */
import { GatewayError } from '../base/errors.ts'
import type { Span } from './json-members.ts'
import type { RequestBody } from './request-body.ts'

/** RFC 2046 5.1.1 */
const boundaryBytesMax = 70
/** A part's own headers are a few lines; more is not looked through. */
const partHeaderBytesMax = 8_192

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const DASH = 45

/** Throws GatewayError 400 when the form cannot be read, has no model, or has it twice. */
export function readMultipartBody(bytes: Buffer, contentType: string): RequestBody {
  const boundary = boundaryOf(contentType)
  const models: Span[] = []
  const streams: Span[] = []
  for (const part of parts(bytes, boundary)) {
    if (part.name === 'model') models.push(part.value)
    if (part.name === 'stream') streams.push(part.value)
  }
  const [modelSpan, second] = models
  if (modelSpan === undefined) {
    throw new GatewayError('invalid_request', 'The form has no field "model".', { param: 'model' })
  }
  if (second !== undefined) {
    throw new GatewayError('invalid_request', 'The form has the field "model" twice; send it once.', { param: 'model' })
  }
  const model = text(bytes, modelSpan).trim()
  if (model === '') throw new GatewayError('invalid_request', 'The field "model" is empty.', { param: 'model' })
  return {
    bytes,
    model,
    modelSpan,
    stream: streams.some((span) => text(bytes, span).trim() === 'true'),
    usageAsked: false,
    choices: 1,
    hasTools: false,
    previousResponseId: null,
    usageEdit: null,
  }
}

function boundaryOf(contentType: string): string {
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined || boundary.length > boundaryBytesMax) {
    throw new GatewayError('invalid_request', 'The multipart content type has no usable boundary.')
  }
  return boundary
}

function* parts(bytes: Buffer, boundary: string): Generator<{ name: string | null; value: Span }> {
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  const bare = delimiter.subarray(2)
  // The first one may stand at the very start, with no line end before it.
  let before = nextDelimiter(bytes, bytes.indexOf(bare) === 0 ? bare : delimiter, 0)
  if (before === null) throw new GatewayError('invalid_request', 'The multipart body does not contain its boundary.')
  while (!before.isLast) {
    const next = nextDelimiter(bytes, delimiter, before.end)
    if (next === null) throw new GatewayError('invalid_request', 'The multipart body ends before its last boundary.')
    // Looked for inside of the part alone: a form of many parts without it would be searched to its end for each.
    const head = bytes.subarray(before.end, Math.min(next.start, before.end + partHeaderBytesMax))
    const headBytes = head.indexOf('\r\n\r\n')
    if (headBytes !== -1) {
      const name = fieldName(head.toString('utf8', 0, headBytes))
      yield { name, value: { start: before.end + headBytes + 4, end: next.start } }
    }
    before = next
  }
}

interface Delimiter {
  readonly start: number
  /** At the line end behind it, which also ends an empty header. */
  readonly end: number
  readonly isLast: boolean
}

/** A delimiter fills its line, spaces at its end apart; the same bytes in a longer word are content. */
function nextDelimiter(bytes: Buffer, delimiter: Buffer, from: number): Delimiter | null {
  for (let start = bytes.indexOf(delimiter, from); start !== -1; start = bytes.indexOf(delimiter, start + 1)) {
    let end = start + delimiter.length
    if (bytes[end] === DASH && bytes[end + 1] === DASH) return { start, end, isLast: true }
    while (bytes[end] === SPACE || bytes[end] === TAB) end++
    if (bytes[end] === CR && bytes[end + 1] === LF) return { start, end, isLast: false }
  }
  return null
}

/** The name in Content-Disposition, for a field that is not a file. */
function fieldName(header: string): string | null {
  const disposition = /^content-disposition:\s*form-data\s*(;[^\r\n]*)$/im.exec(header)?.[1]
  if (disposition === undefined || /;\s*filename\*?=/i.test(disposition)) return null
  const match = /;\s*name=(?:"([^"]*)"|([^\s;]+))/i.exec(disposition)
  return match?.[1] ?? match?.[2] ?? null
}

function text(bytes: Buffer, span: Span): string {
  return bytes.toString('utf8', span.start, span.end)
}
