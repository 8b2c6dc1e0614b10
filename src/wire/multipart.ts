/** Finds the `model` field of a multipart form (RFC 7578) in its bytes; nothing else of the form is read. */
import { GatewayError } from '../base/errors.ts'
import type { Span } from './json-members.ts'
import type { RequestBody } from './request-body.ts'

/** RFC 2046 5.1.1 */
const boundaryBytesMax = 70
/** A part's own headers are a few lines; more is not looked through. */
const partHeaderBytesMax = 8_192

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
    members: null,
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
  const first = Buffer.from(`--${boundary}`)
  let at = bytes.indexOf(first)
  if (at === -1) throw new GatewayError('invalid_request', 'The multipart body does not contain its boundary.')
  at += first.length
  for (;;) {
    // Two dashes behind a boundary end the form.
    if (bytes[at] === 45 && bytes[at + 1] === 45) return
    const headerEnd = bytes.indexOf('\r\n\r\n', at)
    const next = bytes.indexOf(delimiter, at)
    if (headerEnd === -1 || next === -1) {
      throw new GatewayError('invalid_request', 'The multipart body ends before its last boundary.')
    }
    const header = bytes.toString('utf8', at, Math.min(headerEnd, at + partHeaderBytesMax))
    yield { name: fieldName(header), value: { start: Math.min(headerEnd + 4, next), end: next } }
    at = next + delimiter.length
  }
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
