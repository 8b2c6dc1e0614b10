/** What a double saw and did, for tests to read: one entry per request, and waiting for a state without polling. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../../src/base/clock.ts'

type EndedBy = 'complete' | 'client_closed' | 'fault'

export interface JournalEntry {
  readonly id: number
  readonly method: string
  /** As the double received it, query included. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in the order and spelling of the wire. */
  readonly rawHeaders: readonly string[]
  body: Buffer
  /** The parsed body, where it is JSON. */
  json: unknown
  readonly inference: boolean
  readonly startedMs: number
  /** When the first engine chunk was made. */
  firstTokenMs: number | null
  /** When the answer, or the work for it, was over. */
  endedMs: number | null
  clientClosedMs: number | null
  endedBy: EndedBy | null
  /** Its connection is done with it. */
  closed: boolean
  /** The host was killed before that: what was written last may never have arrived, however the answer had ended. */
  killed: boolean
  status: number | null
  /** Completion and prompt tokens as `usage` counts them. */
  tokens: number
  promptTokens: number
}

/** Told of each chunk of a stream, and of the whole of another answer, as it is sent. */
export type OnTokens = (entry: JournalEntry, tokens: number) => void

const bodyBytesKept = 67_108_864
const waitMsDefault = 5_000

export class Journal {
  readonly entries: JournalEntry[] = []
  readonly #max: number
  readonly #clock: Clock
  readonly #onTokens: OnTokens
  readonly #watchers = new Set<() => void>()
  #nextId = 1
  #bodyBytes = 0
  tokensProduced = 0
  promptTokens = 0
  open = 0
  openMax = 0

  constructor(max: number, clock: Clock, onTokens: OnTokens = () => {}) {
    this.#max = max
    this.#clock = clock
    this.#onTokens = onTokens
  }

  add(request: Pick<JournalEntry, 'method' | 'path' | 'headers' | 'rawHeaders' | 'inference'>): JournalEntry {
    const entry: JournalEntry = {
      ...request,
      id: this.#nextId,
      body: Buffer.alloc(0),
      json: undefined,
      startedMs: this.#clock.now(),
      firstTokenMs: null,
      endedMs: null,
      clientClosedMs: null,
      endedBy: null,
      closed: false,
      killed: false,
      status: null,
      tokens: 0,
      promptTokens: 0,
    }
    this.#nextId += 1
    this.entries.push(entry)
    if (this.entries.length > this.#max) this.#bodyBytes -= this.entries.shift()?.body.length ?? 0
    if (entry.inference) {
      this.open += 1
      this.openMax = Math.max(this.openMax, this.open)
    }
    this.changed()
    return entry
  }

  /** Keeps the body of a request; the oldest bodies are forgotten beyond a total. */
  keepBody(entry: JournalEntry, body: Buffer): void {
    entry.body = body
    this.#bodyBytes += body.length
    for (const older of this.entries) {
      if (this.#bodyBytes <= bodyBytesKept || older === entry) break
      this.#bodyBytes -= older.body.length
      older.body = Buffer.alloc(0)
    }
    this.changed()
  }

  firstToken(entry: JournalEntry): void {
    entry.firstTokenMs ??= this.#clock.now()
    this.changed()
  }

  /** Counts tokens as `usage` would, whether or not somebody asked for it. */
  count(entry: JournalEntry, tokens: { prompt: number; completion: number }): void {
    entry.promptTokens += tokens.prompt
    entry.tokens += tokens.completion
    this.promptTokens += tokens.prompt
    this.tokensProduced += tokens.completion
    if (tokens.completion > 0) this.#onTokens(entry, tokens.completion)
  }

  clientClosed(entry: JournalEntry): void {
    entry.clientClosedMs ??= this.#clock.now()
    this.changed()
  }

  /** The first reason wins. */
  ended(entry: JournalEntry, endedBy: EndedBy): void {
    if (entry.endedBy !== null) return
    entry.endedBy = endedBy
    entry.endedMs = this.#clock.now()
    this.changed()
  }

  /** All that is under way ends with the host, and not by whoever asked. */
  killed(): void {
    for (const entry of this.entries) {
      if (entry.closed) continue
      entry.killed = true
      this.ended(entry, 'fault')
    }
  }

  closed(entry: JournalEntry): void {
    entry.closed = true
    if (entry.inference) this.open -= 1
    this.changed()
  }

  changed(): void {
    if (this.#watchers.size === 0) return
    for (const watcher of this.#watchers) watcher()
  }

  /** Resolves as soon as `holds` is true; rejects with `label` after `ms`. Asked again at every event of the double. */
  async waitFor(holds: () => boolean, label: string, ms = waitMsDefault): Promise<void> {
    if (holds()) return
    const late = new Error(`the LMX double waited ${ms} ms in vain for ${label}`)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watcher)
        reject(late)
      }, ms)
      const watcher = () => {
        if (!holds()) return
        this.#watchers.delete(watcher)
        clearTimeout(timer)
        resolve()
      }
      this.#watchers.add(watcher)
    })
  }
}
