/**
 * One connection to Redis, from its beginning to its end: whoever lost it opens another. Commands and what is published
 * come over the same one, so that neither is there without the other. The one door to the client library.
 */
import type { RedisClientType } from '@redis/client'
import type { Clock, Timer } from '../../base/clock.ts'
import { loadedOnce } from '../../base/loaded-once.ts'
import type { RedisTarget } from './target.ts'

const library = loadedOnce(() => import('@redis/client'))

/** More than are ever unanswered while it is asked at all. */
const unansweredMax = 20_000
/** How long answers that nobody waits for any more are still taken, so that what they granted can be undone. */
const retiredMsMax = 10_000

/** Of the time for all of a beginning: whoever does not even get a connection is told of that. */
const shareOfConnecting = 0.9

export interface ConnectionParts {
  readonly clock: Clock
  readonly connectMsMax: number
  /** It was there and is not any more: told once, and not when it was closed from here. */
  readonly onLost: (error: Error) => void
}

export class RedisConnection {
  readonly #client: RedisClientType
  readonly #clock: Clock
  readonly #onLost: (error: Error) => void
  #isOpen = false
  #isClosed = false
  #unanswered = 0
  /** Of those: what was to be answered by now. */
  #overdue = 0
  #overdueSinceMs = 0
  #retired: Timer | null = null

  private constructor(client: RedisClientType, { clock, onLost }: ConnectionParts) {
    this.#client = client
    this.#clock = clock
    this.#onLost = onLost
    client.on('error', (error: Error) => this.#failed(error))
    // One that was closed while it was being opened is opened all the same, and then closed.
    client.on('ready', () => {
      if (this.#isClosed) client.destroy()
    })
  }

  static async make(target: RedisTarget, parts: ConnectionParts): Promise<RedisConnection> {
    const { createClient } = await library()
    const { host, port, database, username, password, tls } = target
    const encrypted = tls === null ? {} : { tls: true as const, ...(tls.ca === undefined ? {} : { ca: tls.ca }) }
    const client = createClient({
      socket: {
        host,
        port,
        connectTimeout: Math.ceil(parts.connectMsMax * shareOfConnecting),
        reconnectStrategy: false,
        ...encrypted,
      },
      database,
      ...(username === null ? {} : { username }),
      ...(password === null ? {} : { password }),
      name: 'lmx-gateway',
      RESP: 3,
      disableOfflineQueue: true,
      commandsQueueMaxLength: unansweredMax,
      maintNotifications: 'disabled',
      // The time of a call is watched by whoever calls, with one timer for all.
      commandOptions: { timeout: 0 },
    })
    return new RedisConnection(client, parts)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  async open(): Promise<void> {
    await this.#client.connect()
    this.#isOpen = true
  }

  /** The caller says `answered` once it was, whatever the answer. */
  send(args: string[]): Promise<unknown> {
    this.#unanswered += 1
    return this.#client.sendCommand(args)
  }

  /** For how long something was not answered that was to be; 0: nothing is. */
  get overdueMs(): number {
    return this.#overdue === 0 ? 0 : Math.max(1, this.#clock.now() - this.#overdueSinceMs)
  }

  expired(): void {
    if (this.#overdue === 0) this.#overdueSinceMs = this.#clock.now()
    this.#overdue += 1
  }

  answered(wasOverdue = false): void {
    this.#unanswered -= 1
    if (wasOverdue) this.#overdue -= 1
    if (this.#retired !== null && this.#unanswered === 0) this.close()
  }

  async ask(args: string[]): Promise<unknown> {
    try {
      return await this.send(args)
    } finally {
      this.answered()
    }
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    await this.#client.subscribe(channel, (message) => {
      if (this.#retired === null) listener(message)
    })
  }

  /** Nothing is asked of it any more; it stays for the answers that are still to come. */
  retire(): void {
    if (this.#isClosed || this.#retired !== null) return
    if (this.#unanswered === 0 || !this.#isOpen) this.close()
    else this.#retired = this.#clock.after(retiredMsMax, () => this.close())
  }

  /** Whatever is unanswered is rejected. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#retired?.cancel()
    this.#client.destroy()
  }

  #failed(error: Error): void {
    if (this.#isClosed || !this.#isOpen) return
    this.#isOpen = false
    this.#onLost(error)
  }
}
