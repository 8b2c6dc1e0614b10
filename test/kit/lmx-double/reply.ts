/** Writes answers as uvicorn does: its headers in its order, and one transfer chunk per frame. */

import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { compactJson } from './python-json.ts'

type HeaderPairs = readonly (readonly [string, string])[]

export interface ReplyContext {
  readonly response: ServerResponse
  /** Null on the answers that LMX sends from outside its request-id layer. */
  readonly requestId: string | null
  /** The client asked to close the connection, which uvicorn answers in kind. */
  readonly closing: boolean
}

/** Python's `secrets.token_urlsafe`. */
export function urlSafeToken(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

let dateSecond = 0
let dateText = ''

function httpDate(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}

interface Head {
  status: number
  /** Headers before `x-request-id`, in their order. */
  headers: HeaderPairs
  chunked: boolean
}

function writeHead(context: ReplyContext, head: Head): void {
  const { response } = context
  const raw: string[] = ['date', httpDate(), 'server', 'uvicorn']
  for (const [name, value] of head.headers) raw.push(name, value)
  if (context.requestId !== null) raw.push('x-request-id', context.requestId, 'vary', 'Origin')
  if (context.closing) raw.push('connection', 'close')
  // Node would add its own connection and keep-alive headers, which uvicorn does not send.
  else response.removeHeader('connection')
  if (head.chunked) raw.push('transfer-encoding', 'chunked')
  response.sendDate = false
  response.writeHead(head.status, raw)
}

interface BodyReply {
  status: number
  type?: string
  body: string | Buffer
  /** Headers that LMX puts before `content-length`. */
  extra?: HeaderPairs
}

export function sendBody(context: ReplyContext, reply: BodyReply): void {
  const { status, type, body, extra = [] } = reply
  const headers: [string, string][] = extra.map(([name, value]) => [name, value])
  headers.push(['content-length', String(Buffer.byteLength(body))])
  if (type !== undefined) headers.push(['content-type', type])
  writeHead(context, { status, headers, chunked: false })
  context.response.end(body)
}

export function sendJson(context: ReplyContext, status: number, value: unknown, extra: HeaderPairs = []): void {
  sendBody(context, { status, type: 'application/json', body: compactJson(value), extra })
}

interface StreamReply {
  status?: number
  type: string
  extra?: HeaderPairs
}

/**
 * A chunked body whose transfer chunks this class frames itself: Node joins writes of one turn into one chunk, and it
 * cannot stop in the middle of one.
 */
export class ChunkedBody {
  readonly #response: ServerResponse
  readonly #socket: Socket
  #full = false
  #ended = false
  /** Between `end` and the end. */
  lingerMs = 0

  constructor(context: ReplyContext, reply: StreamReply) {
    const { response } = context
    if (response.socket === null) throw new Error('the double does not stream to pipelined requests')
    this.#response = response
    this.#socket = response.socket
    const headers: HeaderPairs = [['content-type', reply.type], ...(reply.extra ?? [])]
    writeHead(context, { status: reply.status ?? 200, headers, chunked: true })
    response.flushHeaders()
  }

  get full(): boolean {
    return this.#full
  }

  onWritable(callback: () => void): void {
    this.#socket.once('drain', callback)
  }

  /** One ASCII frame, one transfer chunk, one write. */
  frame(ascii: string): void {
    this.#write(`${ascii.length.toString(16)}\r\n${ascii}\r\n`, 'latin1')
  }

  /** One frame of any text, in UTF-8. */
  textFrame(text: string): void {
    this.#write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`, 'utf8')
  }

  /** The first part of a frame of `length` bytes; `finish` writes the rest. */
  begin(part: Buffer, length: number): void {
    this.#write(Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), part]))
  }

  finish(part: Buffer): void {
    this.#write(Buffer.concat([part, Buffer.from('\r\n')]))
  }

  end(): void {
    if (this.#ended || this.#socket.destroyed) return
    this.#ended = true
    if (this.lingerMs === 0) this.#response.end()
    else setTimeout(() => this.#response.end(), this.lingerMs)
  }

  /** Ends as hosts other than LMX do when they break. */
  spoil(how: 'truncation' | 'garbage' | 'error_frame'): void {
    if (how === 'garbage') {
      this.#write('no chunk at all\r\n')
      return this.cut()
    }
    if (how === 'error_frame') {
      this.textFrame('data: {"error": {"message": "out of memory", "type": "server_error", "code": "oom"}}\n\n')
    }
    this.end()
  }

  /** Closes without the final chunk, as uvicorn does when the application raises. */
  cut(how: 'fin' | 'reset' = 'fin'): void {
    this.#ended = true
    closeSocket(this.#socket, how)
  }

  /** Half of a transfer chunk, then the connection ends. */
  cutInside(frame: string, how: 'fin' | 'reset'): void {
    this.#ended = true
    const half = `${frame.length.toString(16)}\r\n${frame.slice(0, frame.length >> 1)}`
    this.#socket.write(half, 'latin1', () => closeSocket(this.#socket, how))
  }

  #write(data: string | Buffer, encoding: 'latin1' | 'utf8' = 'utf8'): void {
    if (this.#ended || this.#socket.destroyed) return
    if (this.#socket.writableCorked === 0) {
      // Frames of one turn leave in one system call.
      this.#socket.cork()
      process.nextTick(uncork, this.#socket)
    }
    const writable = this.#socket.write(data, encoding)
    if (writable || this.#full) return
    this.#full = true
    this.#socket.once('drain', () => {
      this.#full = false
    })
  }
}

function uncork(socket: Socket): void {
  socket.uncork()
}

export function closeSocket(socket: Socket, how: 'fin' | 'reset'): void {
  if (how === 'reset') socket.resetAndDestroy()
  else socket.destroySoon()
}
