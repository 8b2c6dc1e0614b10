/**
 * The Redis that several gateways share: one connection at a time, opened anew for as long as there is none. A call costs its
 * request `answerMsMax` at the most: later answers are handed to whoever wants to undo what came too late. After some
 * failures in a row nobody asks any more until a look, which writes, has gone well.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { RedisOptions } from '../options.ts'
import { type CallCounts, Calls, notInTime, RedisUnavailable } from './calls.ts'
import { RedisConnection } from './connection.ts'
import { noRedisEvents, type RedisEvents } from './events.ts'
import { type SeenServer, seenServer, writeMs } from './look.ts'
import { movedTo, openingProblemOf, problemOf, type RedisProblem, RedisRefused } from './problems.ts'
import { type Script, unsettled } from './script.ts'
import { placeOf, type RedisTarget, readTarget } from './target.ts'

export { RedisUnavailable } from './calls.ts'

export interface RedisLinkParts {
  readonly clock: Clock
  readonly log: Log
  /** From 0 to 1. */
  readonly chance: () => number
  readonly events?: RedisEvents
}

export interface RunOptions<Answer> {
  /** Default: `answerMsMax` of the options. */
  readonly answerMsMax?: number
  /** Gets an answer that came when nobody waited for it any more. */
  readonly late?: (answer: Answer) => void
}

export interface RedisState extends Readonly<CallCounts> {
  readonly isUp: boolean
  /** What to do about it; null where it is up. */
  readonly problem: string | null
  /** `Redis 7.0.15`; null where it has not been seen, or does not say. */
  readonly server: string | null
}

type Argument = string | number
type Heard = (message: string) => void

const failuresMax = 5
/** So many times as long as a call may take, nothing is answered that should be: Redis is gone. */
const overdueTimesMax = 4
/** Between looks whether Redis is there again: from this up to twice as long, and longer after several in vain. */
const lookEveryMs = 250
const lookDoublingsMax = 2
/** Once it was there for so long, the next outage is a new one. */
const stableMs = 10_000
const toldEverMax = 100

export class RedisLink {
  readonly #options: RedisOptions
  readonly #clock: Clock
  readonly #log: Log
  readonly #chance: () => number
  readonly #events: RedisEvents
  readonly #calls: Calls
  /** The one that is asked; null while it is down. */
  #connection: RedisConnection | null = null
  /** The one that is being opened. */
  #opening: RedisConnection | null = null
  /** With those that only wait for late answers. */
  readonly #connections = new Set<RedisConnection>()
  #target: RedisTarget | null = null
  /** Of a cluster, where it is not the one that the configuration names. */
  #node: Pick<RedisTarget, 'host' | 'port'> | null = null
  #server: SeenServer | null = null
  #failuresInARow = 0
  #problem: string | null = 'Redis has not been asked yet.'
  #wasSlow = false
  #looksInVain = 0
  #upAtMs = 0
  #closed = false
  #timer: Timer | null = null
  #overdueTimer: Timer | null = null
  /** Of this outage, so that each is told once. */
  readonly #toldProblems = new Set<string>()
  readonly #toldEver = new Set<string>()
  readonly #heard = new Map<string, Heard[]>()
  readonly #onUp: (() => void)[] = []

  constructor(options: RedisOptions, { clock, log, chance, events = noRedisEvents }: RedisLinkParts) {
    this.#options = options
    this.#clock = clock
    this.#log = log
    this.#chance = chance
    this.#events = events
    this.#calls = new Calls({
      clock,
      answerMsMax: options.answerMsMax,
      events,
      onAnswer: () => {
        this.#failuresInARow = 0
      },
      onTimeout: (connection) => this.#timedOut(connection),
      onError: (connection, error, operation) => this.#refused(connection, error, operation),
      onFault: (error, operation) => this.#fault(error, operation),
    })
  }

  /** Whether it is worth asking now. */
  get isUp(): boolean {
    return this.#connection !== null
  }

  get state(): RedisState {
    return { isUp: this.isUp, problem: this.#problem, server: this.#server?.name ?? null, ...this.#calls.counts }
  }

  /** All of one fleet are in one slot of a cluster, so that one script may have several. */
  key(name: string): string {
    return `lmx-gateway:{${this.#options.fleet}}:${name}`
  }

  onUp(listener: () => void): void {
    this.#onUp.push(listener)
  }

  /**
   * Connects, and goes on trying where that fails: resolves after the first try. Rejects with a StartError where a file that
   * the configuration names cannot be used.
   */
  async start(): Promise<void> {
    readTarget(this.#options)
    await this.#look()
  }

  /** Rejects with RedisUnavailable: at once while it is down, else within `answerMsMax`. */
  run<Answer>(
    script: Script<Answer>,
    keys: readonly string[],
    args: readonly Argument[],
    { answerMsMax = this.#options.answerMsMax, late }: RunOptions<Answer> = {},
  ): Promise<Answer> {
    const connection = this.#connection
    if (connection === null || this.#isLate(connection, answerMsMax)) return this.#notAsked(script.name)
    const sent = script.call(keys, args)
    const read = (reply: unknown) => script.read(reply)
    return this.#calls.ask(connection, { operation: script.name, args: sent, lua: script.lua, read, answerMsMax, late })
  }

  /** Any other command, under the same conditions. */
  command(args: readonly [string, ...Argument[]], answerMsMax = this.#options.answerMsMax): Promise<unknown> {
    const connection = this.#connection
    const operation = args[0].toLowerCase()
    if (connection === null || this.#isLate(connection, answerMsMax)) return this.#notAsked(operation)
    const sent = args.map(String)
    return this.#calls.ask(connection, { operation, args: sent, lua: null, read: same, answerMsMax, late: undefined })
  }

  /** From now on, whenever it is there; what is published while it is not is not heard. Never rejects. */
  async subscribe(channel: string, listener: Heard): Promise<void> {
    const others = this.#heard.get(channel)
    this.#heard.set(channel, [...(others ?? []), listener])
    const connection = this.#connection
    if (others !== undefined || connection === null) return
    try {
      await this.#within(this.#subscribeTo(connection, channel))
    } catch (error) {
      this.#lost(connection, problemOf(error, this.#target))
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
    this.#overdueTimer?.cancel()
    this.#calls.close()
    this.#opening?.close()
    for (const connection of this.#connections) connection.close()
    this.#connection = null
    this.#opening = null
  }

  get #whyNot(): string {
    return this.#problem ?? (this.isUp ? notInTime(this.#options.answerMsMax) : 'Redis is not there.')
  }

  /**
   * Answers come in the order of the questions: behind one that is late nobody waits too, or a request would wait twice. Who
   * has more time than requests have may wait.
   */
  #isLate(connection: RedisConnection, answerMsMax: number): boolean {
    return connection.overdueMs > 0 && answerMsMax <= this.#options.answerMsMax
  }

  #notAsked<Answer>(operation: string): Promise<Answer> {
    this.#events.called(operation, 'down', 0)
    return Promise.reject(new RedisUnavailable(this.#whyNot))
  }

  #timedOut(connection: RedisConnection): void {
    if (connection !== this.#connection) return
    this.#wasSlow = this.#failuresInARow + 1 >= failuresMax
    this.#countFailure(connection, { text: notInTime(this.#options.answerMsMax), scope: 'server' })
    this.#awaitOverdue(connection)
  }

  #awaitOverdue(connection: RedisConnection): void {
    const { overdueMs } = connection
    if (connection !== this.#connection || overdueMs === 0 || this.#overdueTimer !== null) return
    const { answerMsMax } = this.#options
    const leftMs = overdueTimesMax * answerMsMax - overdueMs
    if (leftMs <= 0) {
      this.#wasSlow = true
      this.#lost(connection, { text: notInTime(answerMsMax), scope: 'server' })
      return
    }
    this.#overdueTimer = this.#clock.after(leftMs, () => {
      this.#overdueTimer = this.#clock.afterTurn(() => {
        this.#overdueTimer = null
        this.#awaitOverdue(connection)
      })
    })
  }

  #countFailure(connection: RedisConnection, problem: RedisProblem): void {
    this.#failuresInARow += 1
    if (this.#failuresInARow >= failuresMax) this.#lost(connection, problem)
  }

  /** Only what no other call would survive counts: what is wrong with one call says nothing of the others. */
  #refused(connection: RedisConnection, error: unknown, operation: string): RedisUnavailable {
    // Whatever it says now, it is not asked any more for what was told.
    if (connection !== this.#connection) return new RedisUnavailable(this.#whyNot, { cause: error })
    const problem = problemOf(error, this.#target)
    const unavailable = new RedisUnavailable(problem.text, { cause: error })
    if (problem.text.startsWith(unsettled)) return unavailable
    if (problem.scope === 'server') this.#lost(connection, problem)
    else {
      if (problem.scope === 'user') this.#countFailure(connection, problem)
      this.#fault(error, operation)
    }
    return unavailable
  }

  #fault(error: unknown, operation: string): void {
    const { text } = problemOf(error, this.#target)
    if (this.#isNews(`${operation}: ${text}`)) {
      this.#log('error', 'a call of Redis has failed, and whoever asked goes on without it', {
        operation,
        problem: text,
      })
    }
  }

  /** It is asked no more; what was asked before may still be answered. */
  #lost(connection: RedisConnection, problem: RedisProblem): void {
    if (connection !== this.#connection) return
    this.#connection = null
    this.#overdueTimer?.cancel()
    this.#overdueTimer = null
    for (const other of this.#connections) if (other.isClosed) this.#connections.delete(other)
    connection.retire()
    if (this.#clock.now() - this.#upAtMs >= stableMs) this.#looksInVain = 0
    this.#down(problem.text, 'Redis is gone: this gateway keeps its share of the limits by itself until it is back')
    this.#lookSoon()
  }

  #down(problem: string, message: string): void {
    if (problem === this.#problem) return
    this.#problem = problem
    this.#events.up(false, problem)
    if (this.#toldProblems.has(problem)) return
    this.#toldProblems.add(problem)
    this.#log('error', message, { problem })
  }

  #lookSoon(): void {
    if (this.#closed || this.#timer !== null) return
    const waitMs = lookEveryMs * 2 ** Math.min(this.#looksInVain, lookDoublingsMax) * (1 + this.#chance())
    this.#looksInVain += 1
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = null
      void this.#look()
    })
  }

  /** One at a time. */
  async #look(): Promise<void> {
    try {
      const target = { ...readTarget(this.#options), ...this.#node }
      this.#target = target
      const connection = await RedisConnection.make(target, {
        clock: this.#clock,
        connectMsMax: this.#options.connectMsMax,
        onLost: (error) => this.#lost(connection, problemOf(error, target)),
      })
      if (this.#closed) return
      this.#opening = connection
      const server = await this.#within(this.#open(connection))
      if (this.#closed) return
      this.#opening = null
      this.#becomeUp(connection, server)
    } catch (error) {
      this.#opening?.close()
      this.#opening = null
      if (this.#closed) return
      if (this.#isElsewhere(error)) {
        await this.#look()
        return
      }
      this.#down(
        openingProblemOf(error, this.#target),
        'Redis is not there: this gateway keeps its share of the limits by itself until it is',
      )
      this.#lookSoon()
    }
  }

  /** From another node of a cluster one goes back to that of the configuration, which knows where the keys are by now. */
  #isElsewhere(error: unknown): boolean {
    const node = this.#node === null ? movedTo(error) : null
    this.#node = node === null ? null : { ...node, host: node.host === '' ? (this.#target?.host ?? '') : node.host }
    return node !== null
  }

  async #open(connection: RedisConnection): Promise<SeenServer> {
    await connection.open()
    const server = await seenServer(connection)
    const { answerMsMax } = this.#options
    const ms = await writeMs(connection, [this.key('epoch'), this.key('look')], this.#clock)
    if (this.#wasSlow && ms > answerMsMax) throw new RedisRefused(notInTime(answerMsMax))
    for (const channel of this.#heard.keys()) await this.#subscribeTo(connection, channel)
    return server
  }

  #becomeUp(connection: RedisConnection, server: SeenServer): void {
    this.#connection = connection
    this.#connections.add(connection)
    this.#server = server
    this.#failuresInARow = 0
    this.#wasSlow = false
    this.#upAtMs = this.#clock.now()
    this.#problem = null
    this.#toldProblems.clear()
    const at = this.#target === null ? undefined : placeOf(this.#target)
    this.#log('info', 'Redis is there', { at, server: server.name })
    const { evictionPolicy } = server
    if (evictionPolicy !== null && evictionPolicy !== 'noeviction' && this.#isNews(evictionPolicy)) {
      this.#log(
        'warn',
        'Redis may throw away limits and slots when its memory is full; set maxmemory-policy noeviction',
        {
          evictionPolicy,
        },
      )
    }
    this.#events.up(true, null)
    for (const listener of this.#onUp) listener()
  }

  async #subscribeTo(connection: RedisConnection, channel: string): Promise<void> {
    await connection.subscribe(channel, (message) => {
      for (const listener of this.#heard.get(channel) ?? []) {
        try {
          listener(message)
        } catch (error) {
          this.#fault(error, 'message')
        }
      }
    })
  }

  #isNews(text: string): boolean {
    if (this.#toldEver.has(text) || this.#toldEver.size >= toldEverMax) return false
    this.#toldEver.add(text)
    return true
  }

  /** Whatever opens a connection has `connectMsMax` for all that it does. */
  #within<Result>(work: Promise<Result>): Promise<Result> {
    const { connectMsMax } = this.#options
    return new Promise((resolve, reject) => {
      const expired = () => reject(new RedisRefused(`Redis did not let this gateway in within ${connectMsMax} ms.`))
      const timer = this.#clock.after(connectMsMax, () => this.#clock.afterTurn(expired))
      work.then(resolve, reject).finally(() => timer.cancel())
    })
  }
}

function same(reply: unknown): unknown {
  return reply
}
