/** What of a request's body becomes tokens: its text by the byte, pictures and sound by the piece. */
import type { EndpointName } from '../wire/endpoints.ts'

export interface BodySize {
  readonly textBytes: number
  /** Pictures, sounds and files. */
  readonly media: number
}

/** Keys that stand once beside each, in any of the dialects; quoted inside a text they have backslashes. */
const marks = ['"image_url":', '"input_audio":', '"media_type":'].map((mark) => Buffer.from(mark))
/** Beyond so many no more are looked for. */
const mediaMax = 1_000
/** What stands before data. */
const inDataUrl = Buffer.from(';base64,')
const asData = Buffer.from('"data":')
const quote = 34

const uploads: ReadonlySet<EndpointName> = new Set(['transcriptions', 'translations'])

export function sizeOf(body: Buffer, endpoint: EndpointName): BodySize {
  if (uploads.has(endpoint)) return { textBytes: 0, media: 1 }
  let media = 0
  for (const mark of marks) {
    for (let at = body.indexOf(mark); at >= 0 && media < mediaMax; at = body.indexOf(mark, at + mark.length)) media += 1
  }
  if (media === 0) return { textBytes: body.length, media }
  return { textBytes: Math.max(0, body.length - dataBytes(body, inDataUrl, 0) - dataBytes(body, asData, 1)), media }
}

/** Of the strings behind a mark, with so many quotes in between. */
function dataBytes(body: Buffer, mark: Buffer, quotesBetween: number): number {
  let bytes = 0
  let at = body.indexOf(mark)
  for (let found = 0; at >= 0 && found < mediaMax; found++) {
    let start = at + mark.length
    for (let i = 0; i < quotesBetween; i++) start = body.indexOf(quote, start) + 1
    const end = body.indexOf(quote, start)
    if (start === 0 || end < 0) break
    bytes += end - start
    at = body.indexOf(mark, end)
  }
  return bytes
}
