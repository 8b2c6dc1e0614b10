/** Reads a multipart form from memory, as far as audio uploads need it. */

interface FormPart {
  name: string
  filename: string | null
  data: Buffer
}

/** The parts of a form, or null when the body is not the form that `contentType` announces. */
export function formParts(body: Buffer, contentType: string): FormPart[] | null {
  const found = /^multipart\/form-data;.*?boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const boundary = found?.[1] ?? found?.[2]
  if (boundary === undefined) return null
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  // The first delimiter may stand at the very beginning, without a line break of its own.
  const form = Buffer.concat([Buffer.from('\r\n'), body])
  const parts: FormPart[] = []
  let at = form.indexOf(delimiter)
  while (at !== -1) {
    const start = at + delimiter.length
    if (form.subarray(start, start + 2).toString() === '--') return parts
    const end = form.indexOf(delimiter, start)
    if (end === -1) return null
    const part = partOf(form.subarray(start, end))
    if (part !== null) parts.push(part)
    at = end
  }
  return null
}

function partOf(bytes: Buffer): FormPart | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const head = bytes.subarray(0, headEnd).toString('utf8')
  const name = /[;\s]name="([^"]*)"/i.exec(head)?.[1]
  if (name === undefined) return null
  const filename = /[;\s]filename="([^"]*)"/i.exec(head)?.[1] ?? null
  return { name, filename, data: bytes.subarray(headEnd + 4) }
}
