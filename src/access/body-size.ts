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
/** In a text of the prompt there is none with these quotes. */
const urlOfMedia = /"(?:image_)?url"\s*:\s*"data:[^"\\]*$/
const urlHeadBytesMax = 160
const quote = 34
const backslash = 92
const slash = 47
/** Of base64 by either alphabet; 1 for each that is one of its characters. */
const dataCharacters = new Uint8Array(256)
for (const character of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=')) {
  dataCharacters[character] = 1
}

const uploads: ReadonlySet<EndpointName> = new Set(['transcriptions', 'translations'])

export function sizeOf(body: Buffer, endpoint: EndpointName): BodySize {
  if (uploads.has(endpoint)) return { textBytes: 0, media: 1 }
  let media = 0
  for (const mark of marks) {
    for (let at = body.indexOf(mark); at >= 0 && media < mediaMax; at = body.indexOf(mark, at + mark.length)) media += 1
  }
  if (media === 0) return { textBytes: body.length, media }
  const data = dataBytes(body, inDataUrl, dataOfUrl) + dataBytes(body, asData, dataOfKey)
  return { textBytes: Math.max(0, body.length - data), media }
}

/** Where the data begins whose mark stands there and has that end; null where it is none. */
type DataStart = (body: Buffer, at: number, end: number) => number | null

/** Of what stands behind a mark. */
function dataBytes(body: Buffer, mark: Buffer, startOf: DataStart): number {
  let bytes = 0
  let at = body.indexOf(mark)
  for (let found = 0; at >= 0 && found < mediaMax; found++) {
    const behind = at + mark.length
    const start = startOf(body, at, behind)
    const end = start === null ? behind : dataEnd(body, start)
    bytes += end - (start ?? end)
    at = body.indexOf(mark, end)
  }
  return bytes
}

function dataOfUrl(body: Buffer, at: number, end: number): number | null {
  const head = body.toString('latin1', Math.max(0, at - urlHeadBytesMax), at)
  return urlOfMedia.test(head) ? end : null
}

function dataOfKey(body: Buffer, _at: number, end: number): number | null {
  let start = end
  while (body[start] === 32) start += 1
  return body[start] === quote ? start + 1 : null
}

/** Any other character, be it a blank, makes it text from there on. */
function dataEnd(body: Buffer, start: number): number {
  let end = start
  for (; end < body.length; end++) {
    const byte = body[end] ?? 0
    if (dataCharacters[byte] === 0 && !(byte === backslash && body[end + 1] === slash)) break
  }
  return end
}
