/** The calls that Redis has not answered yet: each costs whoever waits for it `answerMsMax` at the most. */
import type { Clock, Timer } from '../../base/clock.ts'
import type { RedisConnection } from './connection.ts'
import { Deadlines, type Waiting } from './deadlines.ts'
import type { RedisEvents } from './events.ts'

export interface CallsParts {
  readonly clock: Clock
  readonly answerMsMax: number
  readonly events: RedisEvents
  /** Redis has answered, whatever it was. */
  readonly onAnswer: () => void
  readonly onTimeout: (connection: RedisConnection) => void
  /** What whoever waits is told of it. */
  readonly onError: (connection: RedisConnection, error: unknown, operation: string) => Error
  /** Somebody who was given a late answer failed with it. */
  readonly onFault: (error: unknown, operation: string) => void
}

export interface Question<Answer> {
  readonly operation: string
  readonly args: string[]
  /** What is sent where Redis does not know the digest of a script; null: any other command. */
  readonly lua: string | null
  readonly read: (reply: unknown) => Answer
  readonly answerMsMax: number
  readonly late: ((answer: Answer) => void) | undefined
}

export interface CallCounts {
  calls: number
  timeouts: number
  errors: number
  /** Of the timeouts, those that were answered afterwards. */
  lateAnswers: number
  lastAnswerMs: number | null
}

const sameMs = 1

export class Calls {
  readonly parts: CallsParts
  readonly counts: CallCounts = { calls: 0, timeouts: 0, errors: 0, lateAnswers: 0, lastAnswerMs: null }
  readonly #deadlines: Deadlines

  constructor(parts: CallsParts) {
    this.parts = parts
    this.#deadlines = new Deadlines(parts.clock, parts.answerMsMax)
  }

  ask<Answer>(connection: RedisConnection, question: Question<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = new Call(this, connection, question, resolve, reject)
      this.counts.calls += 1
      const { clock, answerMsMax } = this.parts
      // Whoever took a moment before it asked has all but the whole time left.
      if (Math.abs(question.answerMsMax - answerMsMax) <= sameMs) this.#deadlines.add(call, call.sentAtMs)
      else call.expireBy(clock.after(question.answerMsMax, () => clock.afterTurn(() => call.expired())))
      call.send(question.args)
    })
  }

  close(): void {
    this.#deadlines.close()
  }
}

class Call<Answer> implements Waiting {
  readonly sentAtMs: number
  deadlineMs = 0
  isOver = false
  next: Waiting | null = null
  #isOverdue = false
  /** Where its time is not that of most. */
  #timer: Timer | null = null
  readonly #calls: Calls
  readonly #connection: RedisConnection
  readonly #question: Question<Answer>
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (error: Error) => void

  constructor(
    calls: Calls,
    connection: RedisConnection,
    question: Question<Answer>,
    resolve: (answer: Answer) => void,
    reject: (error: Error) => void,
  ) {
    this.sentAtMs = calls.parts.clock.now()
    this.#calls = calls
    this.#connection = connection
    this.#question = question
    this.#resolve = resolve
    this.#reject = reject
  }

  send(args: string[]): void {
    this.#connection.send(args).then(
      (reply) => this.#answered(reply),
      (error: unknown) => this.#refused(error),
    )
  }

  expireBy(timer: Timer): void {
    this.#timer = timer
  }

  expired(): void {
    if (this.isOver) return
    this.isOver = true
    const { counts, parts } = this.#calls
    const { operation, answerMsMax } = this.#question
    counts.timeouts += 1
    parts.events.called(operation, 'timeout', parts.clock.now() - this.sentAtMs)
    this.#reject(new RedisUnavailable(notInTime(answerMsMax)))
    // Who had less time than others gave up before Redis was late, which says nothing of it.
    this.#isOverdue = answerMsMax >= parts.answerMsMax - sameMs
    if (!this.#isOverdue) return
    this.#connection.expired()
    parts.onTimeout(this.#connection)
  }

  #answered(reply: unknown): void {
    const { counts, parts } = this.#calls
    if (this.isOver) {
      counts.lateAnswers += 1
      this.#tellLate(reply)
      this.#connection.answered(this.#isOverdue)
      return
    }
    this.isOver = true
    this.#timer?.cancel()
    this.#connection.answered()
    const ms = parts.clock.now() - this.sentAtMs
    counts.lastAnswerMs = ms
    parts.onAnswer()
    let answer: Answer
    try {
      answer = this.#question.read(reply)
    } catch (error) {
      this.#failed(error, ms)
      return
    }
    parts.events.called(this.#question.operation, 'ok', ms)
    this.#resolve(answer)
  }

  #refused(error: unknown): void {
    this.#connection.answered(this.#isOverdue)
    const { lua, args } = this.#question
    if (lua !== null && isUnknownScript(error)) {
      // It has not run: whoever waits no more has nothing to undo.
      if (!this.isOver) this.send(['EVAL', lua, ...args.slice(2)])
      return
    }
    if (this.isOver) return
    this.isOver = true
    this.#timer?.cancel()
    this.#failed(error, this.#calls.parts.clock.now() - this.sentAtMs)
  }

  #failed(error: unknown, ms: number): void {
    const { counts, parts } = this.#calls
    const { operation } = this.#question
    counts.errors += 1
    parts.events.called(operation, 'error', ms)
    this.#reject(parts.onError(this.#connection, error, operation))
  }

  #tellLate(reply: unknown): void {
    const { late, operation, read } = this.#question
    if (late === undefined) return
    try {
      late(read(reply))
    } catch (error) {
      this.#calls.parts.onFault(error, operation)
    }
  }
}

/** Redis cannot be asked, did not answer in time, or refused. The message says which. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
}

export function notInTime(msMax: number): string {
  return `Redis did not answer within ${Math.ceil(msMax)} ms.`
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
