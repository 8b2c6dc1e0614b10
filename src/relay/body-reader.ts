/** Reads the body of one request whole: bounded in bytes, in time, and by what all bodies may hold together. */
import type { IncomingMessage } from 'node:http'
import type { Clock, Timer } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { ByteShare, NoRoom } from '../queue/byte-budget.ts'
import { GrowingBytes } from '../wire/growing-bytes.ts'

/** To a caller whose own requests are in its way; when one of them ends, nobody knows. */
const ownRetryAfterMs = 1_000

/** What a body may be and how fast it must come. */
export interface BodyLimits {
  readonly bytesMax: number
  /** For the whole body. */
  readonly msMax: number
  /** For the first bytes; from then on each `bytesPerSecondMin` that came buy it a second, counted from the start. */
  readonly graceMs: number
  readonly bytesPerSecondMin: number
  readonly budget: ByteShare
}

/** Emitted on a request, with the GatewayError to answer, when what comes as its body breaks the rules of HTTP. */
export const brokenBody = Symbol('broken body')

/** The client left before its request was whole. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

/** Who waits for a body: one of both is called, once. Neither may throw. */
export interface BodyOwner {
  bodyRead(bytes: Buffer): void
  /** With ClientLeft, or with a GatewayError for a body that is too large, too slow, over the budget or broken. */
  bodyFailed(error: unknown): void
}

export class BodyReader {
  readonly #incoming: IncomingMessage
  readonly #limits: BodyLimits
  readonly #clock: Clock
  readonly #startedAtMs: number
  /** NaN where the body does not say how long it is. */
  readonly #declaredBytes: number
  #body: GrowingBytes
  #timer: Timer | null = null
  readonly #owner: BodyOwner
  #over = false

  constructor(incoming: IncomingMessage, limits: BodyLimits, clock: Clock, owner: BodyOwner) {
    this.#incoming = incoming
    this.#limits = limits
    this.#clock = clock
    this.#owner = owner
    this.#startedAtMs = clock.now()
    this.#declaredBytes = Number(incoming.headers['content-length'])
    this.#body = new GrowingBytes(this.#declaredBytes)
  }

  begin(): void {
    const { bytesMax } = this.#limits
    if (this.#declaredBytes > bytesMax) return this.#fail(tooLarge(bytesMax))
    if (this.#incoming.destroyed || this.#incoming.socket.destroyed) return this.#left()
    // They stay when it is over: the request goes soon, and taking them off costs more than they do.
    this.#incoming
      .on('data', (chunk: Buffer) => this.#take(chunk))
      .on('end', () => this.#end())
      .on('close', () => this.#left())
      .on(brokenBody, this.#fail)
    // What came in one read with the head is taken by then: most bodies are whole and need no clock.
    process.nextTick(watchUnlessWhole, this)
  }

  watchUnlessWhole(): void {
    if (!this.#over && this.#body.size !== this.#declaredBytes) this.#arm(this.#leftMs())
  }

  #take(chunk: Buffer): void {
    if (this.#over) return
    const { bytesMax, budget } = this.#limits
    if (this.#body.size + chunk.length > bytesMax) return this.#fail(tooLarge(bytesMax))
    const noRoom = budget.take(chunk.length)
    if (noRoom === null) this.#body.add(chunk)
    else this.#fail(overBudget(noRoom))
  }

  #end(): void {
    if (this.#over) return
    const body = this.#body.bytes()
    this.#settle()
    this.#owner.bodyRead(body)
  }

  #left(): void {
    if (!this.#over) this.#fail(new ClientLeft())
  }

  readonly #fail = (error: Error): void => {
    if (this.#over) return
    this.#limits.budget.give(this.#body.size)
    this.#settle()
    // Whoever tells of it asks whether somebody will answer.
    this.#incoming.off(brokenBody, this.#fail)
    this.#owner.bodyFailed(error)
  }

  #settle(): void {
    this.#over = true
    this.#timer?.cancel()
    // The listeners outlive it, its bytes must not.
    this.#body = noBytes
  }

  #leftMs(): number {
    const { msMax, graceMs, bytesPerSecondMin } = this.#limits
    const earnedMs = Math.max(graceMs, (this.#body.size / bytesPerSecondMin) * 1_000)
    return this.#startedAtMs + Math.min(msMax, earnedMs) - this.#clock.now()
  }

  /** A timer that is set anew only when it fires: bytes move the deadline without touching it. */
  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      const leftMs = this.#leftMs()
      if (leftMs > 0) this.#arm(leftMs)
      // After time that was lost the rest may wait in the socket.
      else this.#timer = this.#clock.afterTurn(() => this.#judge())
    })
  }

  #judge(): void {
    const leftMs = this.#leftMs()
    if (leftMs > 0) this.#arm(leftMs)
    else this.#fail(new GatewayError('request_timeout', 'The body took too long.'))
  }
}

const noBytes = new GrowingBytes()

function watchUnlessWhole(reader: BodyReader): void {
  reader.watchUnlessWhole()
}

function tooLarge(bytesMax: number): GatewayError {
  return new GatewayError('request_too_large', `The request body is larger than ${bytesMax} bytes.`)
}

/** What is a caller's own doing is told as one of its limits: others are not refused for it. */
function overBudget(noRoom: NoRoom): GatewayError {
  if (noRoom === 'all') return new GatewayError('queue_full', 'The waiting requests hold too many bytes already.')
  const message = 'Your requests hold too many bytes at once; let some of them end.'
  return new GatewayError('concurrency_limit_exceeded', message, { retryAfterMs: ownRetryAfterMs })
}
