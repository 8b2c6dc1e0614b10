/**
 * The one connection to the Redis that several gateways share, and the one door to its client library. A call costs its
 * request `answerMsMax` at the most: later answers are handed to whoever wants to undo what came too late. After some
 * failures in a row nobody asks any more until Redis answers a ping.
 */
import { readFileSync } from 'node:fs'
import type { RedisClientType } from '@redis/client'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { RedisOptions } from '../options.ts'
import type { Script } from './script.ts'

/** Redis cannot be asked, did not answer in time, or refused. The message says which. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

export interface RedisLinkParts {
  readonly clock: Clock
  readonly log: Log
  /** From 0 to 1. */
  readonly chance: () => number
}

export interface RunOptions<Answer> {
  /** Default: `answerMsMax` of the options. */
  readonly answerMsMax?: number
  /** Gets an answer that came when nobody waited for it any more. */
  readonly late?: (answer: Answer) => void
}

type Argument = string | number

const failuresMax = 5
/** Between looks whether Redis is there again, from this up to twice as long. */
const lookEveryMs = 250

export class RedisLink {
  readonly #options: RedisOptions
  readonly #parts: RedisLinkParts
  #client: RedisClientType | null = null
  #subscriber: RedisClientType | null = null
  #failuresInARow = 0
  #isUp = false
  #closed = false
  #timer: Timer | null = null
  readonly #onUp: (() => void)[] = []
  readonly #onDown: ((problem: string) => void)[] = []

  constructor(options: RedisOptions, parts: RedisLinkParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Whether it is worth asking now. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** All of one fleet are in one slot of a cluster, so that one script may have several. */
  key(name: string): string {
    return `lmx-gateway:{${this.#options.fleet}}:${name}`
  }

  onUp(listener: () => void): void {
    this.#onUp.push(listener)
  }

  onDown(listener: (problem: string) => void): void {
    this.#onDown.push(listener)
  }

  /** Connects, and goes on trying where that fails: resolves after the first try, and never rejects. */
  async start(): Promise<void> {
    const { createClient } = await import('@redis/client')
    const { url, username, connectMsMax } = this.#options
    const options = {
      url,
      ...(username === undefined ? {} : { username }),
      ...(this.#password === undefined ? {} : { password: this.#password }),
      disableOfflineQueue: true,
      socket: {
        connectTimeout: connectMsMax,
        reconnectStrategy: () => lookEveryMs * (1 + this.#parts.chance()),
        ...this.#tls,
      },
    }
    this.#client = createClient(options) as RedisClientType
    this.#subscriber = this.#client.duplicate({ disableOfflineQueue: false }) as RedisClientType
    this.#client.on('error', (error: Error) => this.#down(error.message))
    this.#subscriber.on('error', () => {})
    this.#client.on('ready', () => void this.#look())
    const opening = Promise.all([this.#client.connect(), this.#subscriber.connect()]).catch(() => {})
    await Promise.race([opening, this.#after(connectMsMax)])
    await this.#look()
  }

  /** Rejects with RedisUnavailable: at once while it is down, else within `answerMsMax`. */
  async run<Answer>(
    script: Script<Answer>,
    keys: readonly string[],
    args: readonly Argument[],
    { answerMsMax = this.#options.answerMsMax, late }: RunOptions<Answer> = {},
  ): Promise<Answer> {
    if (!this.#isUp) throw new RedisUnavailable('Redis is not there.')
    const count = String(keys.length)
    const rest = [count, ...keys, ...args.map(String)]
    const answer = this.#evaluate(script, rest)
    return await this.#inTime(answer, answerMsMax, late)
  }

  /** Any other command, under the same conditions. */
  async command(args: readonly Argument[], answerMsMax = this.#options.answerMsMax): Promise<unknown> {
    const client = this.#client
    if (!this.#isUp || client === null) throw new RedisUnavailable('Redis is not there.')
    return await this.#inTime(client.sendCommand(args.map(String)) as Promise<unknown>, answerMsMax)
  }

  /** What is published while the connection is gone is not heard. */
  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    await this.#subscriber?.subscribe(channel, listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#isUp = false
    this.#timer?.cancel()
    for (const client of [this.#client, this.#subscriber]) client?.destroy()
  }

  get #password(): string | undefined {
    const { password, passwordFile } = this.#options
    return passwordFile === undefined ? password : readFileSync(passwordFile, 'utf8').trimEnd()
  }

  get #tls(): { readonly tls: true; readonly ca?: string } | object {
    const { url, caFile } = this.#options
    if (!url.startsWith('rediss:')) return {}
    return { tls: true, ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }) }
  }

  async #evaluate<Answer>(script: Script<Answer>, rest: readonly string[]): Promise<Answer> {
    const client = this.#client
    if (client === null) throw new RedisUnavailable('Redis is not there.')
    try {
      return script.read(await client.sendCommand(['EVALSHA', script.digest, ...rest]))
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return script.read(await client.sendCommand(['EVAL', script.lua, ...rest]))
    }
  }

  #inTime<Answer>(answer: Promise<Answer>, msMax: number, late?: (answer: Answer) => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const timer = this.#parts.clock.after(msMax, () => {
        isOver = true
        this.#failed(`Redis did not answer within ${msMax} ms.`)
        reject(new RedisUnavailable(`Redis did not answer within ${msMax} ms.`))
      })
      answer.then(
        (value) => {
          if (isOver) {
            late?.(value)
            return
          }
          timer.cancel()
          this.#failuresInARow = 0
          resolve(value)
        },
        (error: unknown) => {
          if (isOver) return
          timer.cancel()
          const problem = error instanceof Error ? error.message : String(error)
          this.#failed(problem)
          reject(new RedisUnavailable(problem, { cause: error }))
        },
      )
    })
  }

  #failed(problem: string): void {
    this.#failuresInARow += 1
    if (this.#failuresInARow >= failuresMax) this.#down(problem)
  }

  #down(problem: string): void {
    this.#lookSoon()
    if (!this.#isUp) return
    this.#isUp = false
    this.#parts.log('error', 'Redis is gone: this gateway keeps its share of the limits by itself until it is back', {
      problem,
    })
    for (const listener of this.#onDown) listener(problem)
  }

  #lookSoon(): void {
    if (this.#closed || this.#timer !== null) return
    const waitMs = lookEveryMs * (1 + this.#parts.chance())
    this.#timer = this.#parts.clock.after(waitMs, () => {
      this.#timer = null
      void this.#look()
    })
  }

  async #look(): Promise<void> {
    const client = this.#client
    if (this.#isUp || this.#closed || client === null) return
    try {
      await this.#inTime(client.ping(), this.#options.connectMsMax)
    } catch {
      this.#lookSoon()
      return
    }
    if (this.#isUp || this.#closed) return
    this.#isUp = true
    this.#failuresInARow = 0
    this.#parts.log('info', 'Redis is there')
    for (const listener of this.#onUp) listener()
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(ms, resolve)
    })
  }
}
