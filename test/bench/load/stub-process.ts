/**
 * The host of the benchmark, a process of its own: on bare sockets, with answers made beforehand, so that it costs little
 * beside what is measured. It reads no more of a body than its first bytes, where `stream` and `max_tokens` must stand.
 */
import { createServer, type Socket } from 'node:net'
import { listen } from '../../kit/servers.ts'
import { benchModel } from '../traffic.ts'
import { type StubCounts, type StubMode, type ToStub, usualMode } from './stub-mode.ts'
import { nowNs, tokenEventOf, writeNumber, writeStamp } from './token-event.ts'

const decisiveBytes = 512
const headEnd = '\r\n\r\n'
const chunk = { id: 'c-1', object: 'chat.completion.chunk', created: 1_750_000_000, model: benchModel }
const usage = { prompt_tokens: 500, completion_tokens: 100, total_tokens: 600 }
const roleChunk = chunked(
  event({ ...chunk, choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: null }] }),
)
const streamHead = Buffer.concat([
  Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'),
  roleChunk,
])
const streamEnd = Buffer.concat([
  chunked(event({ ...chunk, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })),
  chunked(event({ ...chunk, choices: [], usage })),
  chunked(Buffer.from('data: [DONE]\n\n')),
  Buffer.from('0\r\n\r\n'),
])
const models = json({
  object: 'list',
  data: [{ id: benchModel, object: 'model', created: chunk.created, owned_by: 'bench' }],
})
const notFound = Buffer.from('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
const taken = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')

let mode: StubMode = usualMode
let answer = answerOf(mode)
/** What is written next: a stamp and a number are put into it just before. */
let tokenWrite = tokenWriteOf(mode)
let eventAts = eventAtsOf(mode)
let streamsBegun = 0
let counts = { requests: 0, events: 0, bodyBytes: 0, heldEvents: 0, left: 0 }
/** By the millisecond of `everyMs` at which they tick. */
let slots: Set<Stream>[] = slotsOf(mode)
const streams = new Set<Stream>()
const connections = new Set<Connection>()

class Stream {
  readonly connection: Connection
  readonly tokens: number
  readonly slot: Set<Stream>
  sent = 0

  constructor(connection: Connection, tokens: number) {
    this.connection = connection
    this.tokens = tokens
    const group = mode.burst === null ? streamsBegun : Math.floor(streamsBegun / mode.burst)
    streamsBegun++
    // The golden section spreads any number of them evenly.
    this.slot = slots[Math.floor(((group * 0.618_033_988_75) % 1) * slots.length)]!
    streams.add(this)
  }

  begin(): void {
    this.connection.socket.write(streamHead)
    if (mode.firstMs > 0) setTimeout(() => this.#first(), mode.firstMs)
    else this.#first()
  }

  #first(): void {
    if (!streams.has(this)) return
    this.tick()
    if (mode.everyMs > 0) this.slot.add(this)
  }

  tick(): void {
    const { socket } = this.connection
    if (socket.writableLength > 0) return void counts.heldEvents++
    if (this.sent >= this.tokens) return this.#end()
    const now = nowNs()
    for (const at of eventAts) {
      writeNumber(tokenWrite, at, this.sent++)
      writeStamp(tokenWrite, at, now)
    }
    counts.events += eventAts.length
    socket.write(tokenWrite)
    // Usually the system took it at once; where it did not, these bytes must stay as they are.
    if (socket.writableLength > 0) tokenWrite = Buffer.from(tokenWrite)
  }

  #end(): void {
    this.forget()
    this.connection.stream = null
    this.connection.socket.write(streamEnd)
  }

  forget(): void {
    streams.delete(this)
    this.slot.delete(this)
  }
}

class Connection {
  readonly socket: Socket
  stream: Stream | null = null
  #head = ''
  #path = ''
  #start = ''
  #bodyLeft = 0

  constructor(socket: Socket) {
    this.socket = socket
    connections.add(this)
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#came(bytes))
    socket.on('error', () => {})
    socket.on('close', () => {
      connections.delete(this)
      if (this.stream === null) return
      counts.left++
      this.stream.forget()
    })
  }

  #came(bytes: Buffer): void {
    if (this.#bodyLeft > 0) return this.#body(bytes)
    const text = this.#head + bytes.toString('latin1')
    const end = text.indexOf(headEnd)
    if (end < 0) {
      this.#head = text
      return
    }
    const bodyAt = end + headEnd.length - this.#head.length
    this.#head = ''
    this.#path = text.slice(0, text.indexOf(' HTTP/'))
    this.#bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0)
    this.#start = ''
    if (this.#bodyLeft === 0) this.#answer()
    else if (bodyAt < bytes.length) this.#body(bytes.subarray(bodyAt))
  }

  #body(bytes: Buffer): void {
    if (this.#start.length < decisiveBytes) this.#start += bytes.toString('latin1', 0, decisiveBytes)
    this.#bodyLeft -= bytes.length
    counts.bodyBytes += bytes.length
    if (this.#bodyLeft <= 0) this.#answer()
  }

  #answer(): void {
    if (this.#path === 'GET /v1/models') return void this.socket.write(models)
    if (this.#path !== 'POST /v1/chat/completions') {
      // It takes traces and metrics as well, and forgets them.
      return void this.socket.write(this.#path.startsWith('POST') ? taken : notFound)
    }
    counts.requests++
    if (this.#start.includes('"stream":true')) {
      const tokens = Number(/"max_tokens":(\d+)/.exec(this.#start)?.[1] ?? 1)
      this.stream = new Stream(this, tokens)
      this.stream.begin()
    } else if (mode.firstMs > 0) setTimeout(() => this.socket.write(answer), mode.firstMs)
    else this.socket.write(answer)
  }
}

const server = createServer((socket) => void new Connection(socket))
const { url } = await listen(server)
process.on('message', (asked: ToStub) => process.send?.(told(asked)))
process.on('disconnect', () => process.exit(0))
let tickedMs = Math.floor(nowNs() / 1e6)
setInterval(tick, 1)

/** Every millisecond has its turn, also where the timer came late. */
function tick(): void {
  const nowMs = Math.floor(nowNs() / 1e6)
  for (; tickedMs < nowMs; tickedMs++) {
    for (const stream of slots[tickedMs % slots.length]!) stream.tick()
  }
}

function told(asked: ToStub): StubCounts {
  if (asked.ask === 'mode') {
    mode = asked.mode
    answer = answerOf(mode)
    tokenWrite = tokenWriteOf(mode)
    eventAts = eventAtsOf(mode)
    slots = slotsOf(mode)
    streamsBegun = 0
    counts = { requests: 0, events: 0, bodyBytes: 0, heldEvents: 0, left: 0 }
  }
  const held = [...streams].filter(({ connection }) => connection.socket.writableLength > 0).length
  return { url, connections: connections.size, streams: streams.size, held, ...counts }
}

function slotsOf({ everyMs }: StubMode): Set<Stream>[] {
  return Array.from({ length: Math.max(1, everyMs) }, () => new Set<Stream>())
}

function tokenWriteOf({ eventBytes, eventsPerWrite }: StubMode): Buffer {
  const one = chunked(tokenEventOf(eventBytes))
  return Buffer.concat(Array.from({ length: eventsPerWrite }, () => one))
}

/** Where each event begins in what is written. */
function eventAtsOf({ eventBytes, eventsPerWrite }: StubMode): number[] {
  const bytes = chunked(tokenEventOf(eventBytes))
  const first = bytes.indexOf('data: ')
  return Array.from({ length: eventsPerWrite }, (_, at) => at * bytes.length + first)
}

function answerOf({ answerBytes }: StubMode): Buffer {
  const make = (content: string) =>
    json({
      ...chunk,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage,
    })
  return make('word '.repeat(Math.max(0, answerBytes - make('').length) / 5))
}

function json(value: object): Buffer {
  const body = JSON.stringify(value)
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

function event(value: object): Buffer {
  return Buffer.from(`data: ${JSON.stringify(value)}\n\n`)
}

function chunked(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}
