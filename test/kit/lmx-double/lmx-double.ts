/** A faithful stand-in for an Opta LMX host: its wire behaviour, its limits and its faults, on a loopback port. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Call } from './call.ts'
import { plainServerError } from './errors.ts'
import type { FaultBoard } from './faults.ts'
import type { HostEvent } from './host.ts'
import { DoubleHost } from './host.ts'
import type { JournalEntry } from './journal.ts'
import type { LoadedModels } from './models.ts'
import type { CostModel, LmxDoubleOptions } from './options.ts'
import { urlSafeToken } from './reply.ts'
import { answer, isInference } from './routes.ts'

export type { JournalEntry } from './journal.ts'
export type { LmxDoubleOptions } from './options.ts'

export async function startLmxDouble(options: LmxDoubleOptions = {}): Promise<LmxDouble> {
  const double = new LmxDouble(options)
  await double.openListener()
  return double
}

export class LmxDouble {
  readonly #host: DoubleHost
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(options: LmxDoubleOptions) {
    this.#host = new DoubleHost(options)
  }

  get port(): number {
    return this.#host.port
  }

  get url(): string {
    return `http://${this.#host.options.host ?? '127.0.0.1'}:${this.#host.port}`
  }

  get faults(): FaultBoard {
    return this.#host.faults
  }

  get models(): LoadedModels {
    return this.#host.models
  }

  /** Every request so far, up to `journalMax`, oldest first. */
  get requests(): readonly JournalEntry[] {
    return this.#host.journal.entries
  }

  /** Those that ask for inference, so that probes do not get in the way. */
  get inferenceRequests(): readonly JournalEntry[] {
    return this.#host.journal.entries.filter((entry) => entry.inference)
  }

  /** Requests that hold a slot or bypass the limit. */
  get running(): number {
    return this.#host.gate.running
  }

  get runningMax(): number {
    return this.#host.gate.runningMax
  }

  get waiting(): number {
    return this.#host.gate.waiting
  }

  /** The most inference requests that were open at once, with a slot or without. */
  get arrivedConcurrentMax(): number {
    return this.#host.journal.openMax
  }

  get open(): number {
    return this.#host.journal.open
  }

  /** Totals as `usage` counts them. */
  get tokensProduced(): number {
    return this.#host.journal.tokensProduced
  }

  get promptTokens(): number {
    return this.#host.journal.promptTokens
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** The limit in force; the advertised one never changes. */
  setEffectiveSlots(limit: number): void {
    this.#host.gate.setEffective(limit)
  }

  /** It is faster or slower from now on, also with what it is at. */
  setCost(cost: Partial<CostModel>): void {
    Object.assign(this.#host.engine.cost, cost)
  }

  setMemoryUsedGb(gigabytes: number): void {
    this.#host.memoryUsedGb = gigabytes
  }

  /** Sends an event to the subscribers of `/admin/events`. */
  publish(event: HostEvent): void {
    this.#host.publish(event)
  }

  /** Resolves as soon as `holds` is true of this double; rejects with `label` after `ms`. */
  waitFor(holds: (double: this) => boolean, label: string, ms?: number): Promise<void> {
    return this.#host.journal.waitFor(() => holds(this), label, ms)
  }

  /** Listens, again on the same port after `closeListener`: a host that has finished starting. */
  async openListener(): Promise<void> {
    const { options } = this.#host
    const server = createServer({
      keepAliveTimeout: options.keepAliveMs ?? 300_000,
      requestTimeout: 0,
      headersTimeout: 0,
    })
    server.on('request', (request, response) => void this.#serve(request, response))
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        this.#host.journal.changed()
      })
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#host.port === 0 ? (options.port ?? 0) : this.#host.port, options.host ?? '127.0.0.1', resolve)
    })
    this.#host.port = (server.address() as AddressInfo).port
  }

  /** Refuses connections, as LMX does while it starts; idle ones are closed, answers under way go on. */
  closeListener(): void {
    this.#server?.close()
    this.#server = undefined
  }

  /** The process dies: every connection is cut and new ones are refused. `openListener` brings it back. */
  crash(how: 'fin' | 'reset' = 'reset'): void {
    this.closeListener()
    this.#host.journal.killed()
    this.#abandonAnswers()
    for (const socket of this.#sockets) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
  }

  /** Refuses new connections, lets running answers finish, resolves when the last connection is gone. */
  async sigterm(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    for (const response of this.#responses) closeAfter(response, server)
    await closed
  }

  /** Closes all it opened, at once. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve()
      else server.close(() => resolve())
    })
    this.#abandonAnswers()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #abandonAnswers(): void {
    for (const generation of this.#host.generations) generation.cancel()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  readonly #responses = new Set<ServerResponse>()

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { journal, faults, clock } = this.#host
    const url = new URL(request.url ?? '/', 'http://double')
    const path = decodePath(url.pathname)
    const { headers, rawHeaders, method = 'GET' } = request
    const inference = isInference(method, path)
    const entry = journal.add({ method, path: request.url ?? '/', headers, rawHeaders, inference })
    this.#responses.add(response)
    response.once('finish', () => {
      entry.status = response.statusCode
      journal.ended(entry, entry.clientClosedMs === null ? 'complete' : 'client_closed')
    })
    let working = true
    response.once('close', () => {
      this.#responses.delete(response)
      if (response.headersSent) entry.status = response.statusCode
      if (!response.writableFinished && entry.endedBy === null) journal.clientClosed(entry)
      if (!working) journal.ended(entry, 'client_closed')
      journal.closed(entry)
    })
    const body = await readBody(request)
    if (body === null) return journal.ended(entry, 'client_closed')
    journal.keepBody(entry, body)
    const delayMs = faults.standing.delayAllMs ?? 0
    if (delayMs > 0) await new Promise<void>((resolve) => clock.after(delayMs, resolve))
    const given = headers['x-request-id']
    const requestId = typeof given === 'string' ? given : `req-${urlSafeToken(12)}`
    const context = { response, requestId, closing: headers.connection?.toLowerCase() === 'close' }
    const call: Call = { host: this.#host, request, response, context, entry, path, query: url.searchParams, body }
    try {
      await answer(call)
    } catch (error) {
      journal.ended(entry, 'fault')
      if (!response.headersSent) plainServerError(context, `The LMX double failed: ${String(error)}`)
      else response.destroy()
    }
    working = false
    if (entry.clientClosedMs !== null) journal.ended(entry, 'client_closed')
  }
}

/** Idle keep-alive connections would hold the server open after the last answer. */
function closeAfter(response: ServerResponse, server: Server): void {
  response.once('close', () => setImmediate(() => server.closeIdleConnections()))
}

/** uvicorn routes by the decoded path, so an encoded slash is a slash. */
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = []
  try {
    for await (const part of request) parts.push(part as Buffer)
  } catch {
    return null
  }
  return Buffer.concat(parts)
}
