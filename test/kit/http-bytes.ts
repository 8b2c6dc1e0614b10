/** Spells HTTP/1.1 byte by byte, for tests in which the bytes are the point. */

export type Headers = Record<string, string>

/** A request with a counted body; `host` and `content-length` are added. */
export function requestBytes(method: string, path: string, headers: Headers = {}, body: string | Buffer = ''): Buffer {
  const counted = method === 'GET' || method === 'HEAD' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return message(`${method} ${path} HTTP/1.1`, { host: '127.0.0.1', ...counted, ...headers }, body)
}

/** A POST of a JSON body. */
export function jsonRequestBytes(path: string, body: unknown, headers: Headers = {}): Buffer {
  return requestBytes('POST', path, { 'content-type': 'application/json', ...headers }, JSON.stringify(body))
}

/** A whole answer with a counted body. */
export function responseBytes(status: number, headers: Headers = {}, body: string | Buffer = ''): Buffer {
  return message(`HTTP/1.1 ${status} -`, { 'content-length': String(Buffer.byteLength(body)), ...headers }, body)
}

export function jsonResponseBytes(status: number, body: unknown, headers: Headers = {}): Buffer {
  return responseBytes(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(body))
}

/** The head of a streamed answer; `chunkBytes` and `finalChunk` follow it. */
export function sseHeadBytes(headers: Headers = {}): Buffer {
  return message('HTTP/1.1 200 OK', {
    'content-type': 'text/event-stream; charset=utf-8',
    'transfer-encoding': 'chunked',
    ...headers,
  })
}

export function chunkBytes(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data)
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

export const finalChunk = '0\r\n\r\n'

function message(startLine: string, headers: Headers, body: string | Buffer = ''): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${startLine}\r\n${lines.join('')}\r\n`, 'latin1'), Buffer.from(body)])
}
