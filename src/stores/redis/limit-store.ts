/** The limits that several gateways share, in Redis. */
import type { AccountRecord } from '../../access/limit-records.ts'
import {
  type AskAnswer,
  type LimitBatch,
  type LimitReply,
  type LimitStore,
  NotCharged,
} from '../../access/shared-limits.ts'
import type { Log } from '../../base/log.ts'
import { limitScript } from './limit-script.ts'
import { type RedisLink, RedisUnavailable } from './link.ts'
import { isRefusal } from './problems.ts'

export interface RedisLimitStoreOptions {
  readonly answerMsMax: number
  readonly goneAfterMs: number
}

/** So many accounts that could not be read are told of. */
const toldMax = 100

export class RedisLimitStore implements LimitStore {
  readonly #link: RedisLink
  readonly #options: RedisLimitStoreOptions
  readonly #log: Log
  /** Keys in Redis, each told of once. */
  readonly #unreadable = new Set<string>()

  constructor(link: RedisLink, options: RedisLimitStoreOptions, log: Log) {
    this.#link = link
    this.#options = options
    this.#log = log
  }

  get answerMsMax(): number {
    return this.#options.answerMsMax
  }

  async charge(batch: LimitBatch, answerMsMax: number): Promise<LimitReply | null> {
    const link = this.#link
    const accounts = batch.accounts.map(({ kind, id }) => link.key(`limits:${kind}:${id}`))
    const keys = [link.key('epoch'), link.key('alive'), link.key(`limits:done:${batch.id}`), ...accounts]
    const atOnce = batch.accounts.some(({ limits }) => limits.concurrentRequests !== undefined)
    const args = [JSON.stringify(batch), atOnce ? this.#options.goneAfterMs : 0]
    const reply = await link.run(limitScript, keys, args, { answerMsMax }).catch(refused)
    if (reply === null) return null
    for (const at of reply.unreadable) this.#tell(accounts[at - 1] ?? '')
    return {
      nowMs: reply.nowMs,
      epoch: reply.epoch,
      ...(reply.unreadable.length > 0 && { unreadable: reply.unreadable.map((at) => at - 1) }),
      answers: reply.answers === '' ? [] : read(reply.answers, isAnswers),
      accounts: reply.accounts.map((text) => (text === '' ? null : read(text, isAccount))),
    }
  }

  #tell(key: string): void {
    if (this.#unreadable.has(key) || this.#unreadable.size >= toldMax) return
    this.#unreadable.add(key)
    this.#log(
      'error',
      'What Redis has of limits is none of this version: they begin anew, with what gateways know of them',
      {
        key,
      },
    )
  }
}

/** What Redis has refused it has not done; of anything else nobody knows. */
function refused(error: unknown): never {
  if (error instanceof RedisUnavailable && isRefusal(error.cause)) throw new NotCharged(error.message, { cause: error })
  throw error
}

/** Of the script, and of nobody else. */
function read<T>(text: string, is: (value: unknown) => value is T): T {
  const value: unknown = JSON.parse(text)
  if (is(value)) return value
  throw new TypeError('no answer of the script of limits')
}

function isAnswers(value: unknown): value is AskAnswer[] {
  return Array.isArray(value)
}

function isAccount(value: unknown): value is AccountRecord {
  return typeof value === 'object' && value !== null && 'minute' in value
}
