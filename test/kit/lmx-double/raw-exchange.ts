/** One request over a plain socket, and every byte that comes back. */

import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { StringDecoder } from 'node:string_decoder'

export interface RawRequest {
  method?: string
  path: string
  headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  body?: unknown
}

const waitMsMax = 5_000
/** Characters of an answer that a failure shows. */
const shownMax = 2_000

export class RawExchange {
  readonly socket: Socket
  readonly parts: Buffer[] = []
  /** All that has come so far. */
  text = ''
  closed = false
  readonly #decoder = new StringDecoder('utf8')
  readonly #watchers = new Set<() => void>()

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('data', (part: Buffer) => {
      this.parts.push(part)
      this.text += this.#decoder.write(part)
      this.#changed()
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.closed = true
      this.#changed()
    })
  }

  send(request: RawRequest): this {
    const { method = request.body === undefined ? 'GET' : 'POST', path, headers = {} } = request
    const lines = [`${method} ${path} HTTP/1.1`, 'host: double']
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
    const body = bodyBytes(request.body)
    if (body !== null) {
      if (headers['content-type'] === undefined) lines.push('content-type: application/json')
      lines.push(`content-length: ${body.length}`)
    }
    this.socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body ?? Buffer.alloc(0)]))
    return this
  }

  async until(holds: (text: string) => boolean, label: string): Promise<string> {
    if (holds(this.text)) return this.text
    const late = new Error(`waited ${waitMsMax} ms in vain for ${label}`)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watcher)
        reject(new Error(`${late.message}; got ${JSON.stringify(this.text.slice(0, shownMax))}`, { cause: late }))
      }, waitMsMax)
      const watcher = () => {
        if (!holds(this.text)) return
        clearTimeout(timer)
        this.#watchers.delete(watcher)
        resolve()
      }
      this.#watchers.add(watcher)
    })
    return this.text
  }

  /** The whole answer: by its framing, or up to where the connection ends. */
  async answer(): Promise<string> {
    const text = await this.until((seen) => this.closed || isWhole(seen), 'a whole answer')
    this.drop()
    return text
  }

  /** The client leaves. */
  drop(): void {
    this.socket.destroy()
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

export function rawAnswer(port: number, request: RawRequest): Promise<string> {
  return new RawExchange(port).send(request).answer()
}

/** The body of an answer, without its transfer framing. */
export function bodyOf(answer: string): string {
  const at = answer.indexOf('\r\n\r\n')
  const body = answer.slice(at + 4)
  if (!/\r\ntransfer-encoding: chunked/i.test(answer.slice(0, at))) return body
  return chunksOf(body).join('')
}

/** The transfer chunks of a body, the last empty one left out. Sizes are taken as characters: for ASCII bodies. */
export function chunksOf(body: string): string[] {
  const chunks: string[] = []
  let at = 0
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at)
    if (lineEnd === -1) return chunks
    const size = Number.parseInt(body.slice(at, lineEnd), 16)
    if (!(size > 0)) return chunks
    chunks.push(body.slice(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

function bodyBytes(body: unknown): Buffer | null {
  if (body === undefined) return null
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

function isWhole(text: string): boolean {
  const at = text.indexOf('\r\n\r\n')
  if (at === -1) return false
  const head = text.slice(0, at)
  if (/\r\ntransfer-encoding: chunked/i.test(head)) return text.endsWith('\r\n0\r\n\r\n')
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  return length !== undefined && Buffer.byteLength(text.slice(at + 4)) >= Number(length)
}
